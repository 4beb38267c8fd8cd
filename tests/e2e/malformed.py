# SPDX-License-Identifier: Apache-2.0
"""Requests that are wrong, of many kinds, made from a seed; and how each kind may be answered.

A kind is a function of a random.Random; its row says which statuses are right. CLOSED stands for a
connection that ends without an answer. A 2xx is right for none of them."""
import string

CLOSED = 0
BAD = {400}
CUT = {CLOSED, 400}  # what never was a whole request
LARGE = {CLOSED, 400, 413, 414, 431}
GOOD = "cvm_salt=Salt-1&cvm_hostid=host-1"
TOKEN = string.ascii_letters + string.digits + "-"
KINDS = {}


def kind(statuses):
    def keep(function):
        KINDS[function.__name__] = (function, frozenset(statuses))
        return function

    return keep


def raw(value):
    return value if isinstance(value, bytes) else value.encode("latin-1")


def request(target=f"/vmcp/web?{GOOD}", method="GET", version="HTTP/1.1", headers=("Host: x",),
            body=b""):
    lines = [b" ".join((raw(method), raw(target), raw(version))), *map(raw, headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def word(r, least=1, most=20, alphabet=TOKEN):
    return "".join(r.choice(alphabet) for _ in range(r.randint(least, most)))


def not_in_a_salt(r):
    """One byte, percent-encoded, that no salt has."""
    while True:
        byte = r.randrange(256)
        if chr(byte) not in TOKEN:
            return f"%{byte:02{r.choice('xX')}}"


def insert(r, text, piece):
    at = r.randint(0, len(text))
    return text[:at] + piece + text[at:]


# -- the question ----------------------------------------------------------------------------------

@kind(BAD)
def without_a_salt(r):
    return request(f"/vmcp/web?cvm_hostid={word(r)}")


@kind(BAD)
def an_empty_salt(r):
    return request(f"/vmcp/web?cvm_salt=&cvm_hostid={word(r)}")


@kind(BAD)
def a_salt_of_other_letters(r):
    return request(f"/vmcp/web?cvm_salt={insert(r, word(r), not_in_a_salt(r))}&cvm_hostid=h")


@kind(BAD)
def a_host_id_of_other_letters(r):
    return request(f"/vmcp/web?cvm_hostid={insert(r, word(r), not_in_a_salt(r))}&cvm_salt=s")


@kind(BAD)
def a_salt_that_is_too_long(r):
    return request(f"/vmcp/web?cvm_hostid=h&cvm_salt={word(r, 257, 2000)}")


@kind(BAD)
def a_parameter_twice(r):
    name = r.choice(["cvm_salt=Salt-1", "cvm_hostid=host-1", "vm=web"])
    return request(f"/vmcp/web?{GOOD}&vm=web&{name}")


@kind(BAD)
def version_2_without_a_host_id(r):
    return request(f"/vmcp/web?cvm_salt={word(r)}", headers=("Host: x", "Accept: application/jose"))


@kind(BAD)
def two_names(r):
    return request(f"/vmcp/{word(r, 1, 9, string.ascii_lowercase)}?{GOOD}&vm=0other")


@kind({400, 404})
def a_name_of_other_letters(r):
    return request(f"/vmcp/{insert(r, 'web', r.choice('_.~A!@Z$,;='))}?{GOOD}")


@kind({404})
def a_machine_that_is_not_there(r):
    return request(f"/vmcp/no-{word(r, 1, 20, string.ascii_lowercase)}?{GOOD}")


# -- the target ------------------------------------------------------------------------------------

@kind(BAD)
def a_broken_escape(r):
    piece = r.choice(["%", "%4", "%G1", "%1g", "%%", "%-1", "%+1", "% 1".replace(" ", "_")])
    return request(r.choice([f"/vmcp/web?{GOOD}&x=y{piece}", f"/vmcp/we{piece}?{GOOD}",
                             f"/{piece}"]))


@kind(BAD)
def an_escaped_control(r):
    piece = f"%{r.choice([*range(32), 127]):02x}"
    return request(insert(r, "/vmcp/web", piece).replace("%", "/%", 1) + f"?{GOOD}"
                   if r.random() < 0.5 else f"/vmcp/web?{GOOD}{r.choice(['', '&x='])}{piece}")


@kind({400, 404})
def an_escaped_slash(r):
    return request(f"/vmcp{r.choice(['%2f', '%2F'])}web?{GOOD}")


@kind(CUT)
def a_raw_control(r):
    byte = bytes([r.choice([*range(1, 9), 11, 12, *range(14, 32), 127])])
    target = raw(f"/vmcp/web?{GOOD}")
    at = r.randint(1, len(target))
    return request(target[:at] + byte + target[at:])


@kind(CUT)
def a_raw_nul(r):
    target = raw(f"/vmcp/web?{GOOD}")
    at = r.randint(0, len(target))
    return request(target[:at] + b"\0" * r.randint(1, 3) + target[at:])


@kind({400, 404})
def bytes_that_are_no_ascii(r):
    return request(b"/vmcp/" + bytes(r.randrange(128, 256) for _ in range(r.randint(1, 9))) +
                   raw(f"?{GOOD}"))


@kind(BAD)
def too_many_parameters(r):
    return request(f"/vmcp/web?{GOOD}" + "&a=b" * r.randint(31, 400))


@kind(BAD)
def a_target_that_is_no_path(r):
    return request(r.choice(["vmcp", "*", "?x=1", "http:/vmcp", "http://", "http:///vmcp", "ftp://x/",
                             "http://x\\y/vmcp", "http://x#/vmcp", word(r)]))


@kind(BAD)
def a_target_with_a_user(r):
    return request(f"http://{word(r)}{r.choice(['', ':' + word(r)])}@x/vmcp/web?{GOOD}")


@kind({400, 404})
def a_fragment(r):
    return request(f"/vmcp/web#{word(r)}?{GOOD}")


@kind({400, 404})
def dots_and_slashes(r):
    return request("/" + r.choice(["../", "./", "/", "x/../", "..%2f", "%2e%2e/"]) +
                   f"vmcp/web?{GOOD}")


@kind({400, 404})
def a_path_that_is_not_there(r):
    return request("/" + "/".join(word(r) for _ in range(r.randint(1, 30))) + f"-?{GOOD}")


# -- the request line ------------------------------------------------------------------------------

@kind({400, 405, 501})
def a_method_that_nobody_knows(r):
    return request(method=word(r, 1, 30, string.ascii_uppercase) + "X")


@kind({400, 405, 413, 501})
def a_method_that_changes(r):
    return request(method=r.choice(["POST", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "get"]))


@kind({400, 405, 501})
def a_tunnel(r):
    return request(f"{word(r)}:443", method="CONNECT")


@kind({400, 505, CLOSED})
def a_version_of_its_own(r):
    return request(version=r.choice(["HTTP/9.9", "HTTP/2.0", "HTTP/0.9", "HTTP/1", "HTTP/1.10",
                                     "HTCPCP/1.0", "HTTP/x.y", "http/1.1", "HTTP/-1.1"]))


@kind(CUT)
def a_line_of_two_words(r):
    return raw(f"GET /vmcp/web?{GOOD}\r\n") + r.choice([b"", b"\r\n", b"Host: x\r\n\r\n"])


@kind(CUT)
def a_space_in_the_target(r):
    return request(insert(r, f"/vmcp/web?{GOOD}"[1:], " " * r.randint(1, 3)).join(["/", ""]) +
                   " x")


@kind(CUT)
def no_line_ends(r):
    return raw(f"GET /vmcp/web?{GOOD} HTTP/1.1") + r.choice([b"\r", b"\x0b", b"\x85", b" "]) + \
        b"Host: x" + b"\r\r" + raw(word(r))


# -- headers ---------------------------------------------------------------------------------------

@kind(BAD)
def without_a_host(r):
    return request(headers=(f"X-{word(r)}: y",))


@kind(BAD)
def two_hosts(r):
    return request(headers=("Host: x", f"Host: {word(r)}"))


@kind(BAD)
def two_content_lengths(r):
    return request(headers=("Host: x", "Content-Length: 0", f"Content-Length: {r.randrange(99)}"))


@kind(BAD)
def a_lone_cr_in_a_header(r):
    """To some it is a part of the value, to others the end of the line."""
    line = r.choice(["X-Y: a\rHost: b", "X-Y: a\rX-Z: b", "X-Y: a\r", f"X-Y: \r{word(r)}: b",
                     f"X-Y: a\r{word(r)}", "X-Y: a\rContent-Length: 5"])
    return request(headers=("Host: x", line, *["X-A: b"] * r.randrange(3)))


@kind(BAD)
def a_control_in_a_header(r):
    byte = bytes([r.choice([*range(1, 9), 11, 12, *range(14, 32), 127])])
    return request(headers=("Host: x", b"X-Y: a" + byte + raw(word(r)), "X-A: b"))


@kind(CUT)
def a_header_without_a_colon(r):
    return request(headers=("Host: x", word(r)))


@kind(CUT)
def a_header_with_a_space_in_its_name(r):
    return request(headers=("Host: x", r.choice(["X Y: z", "Accept : application/jose", "X\t: y"])))


@kind(CUT)
def a_header_without_a_name(r):
    return request(headers=("Host: x", f": {word(r)}"))


@kind(CUT)
def a_nul_in_a_header(r):
    return request(headers=("Host: x", b"X-Y: a" + b"\0" * r.randint(1, 4) + raw(word(r))))


@kind(BAD)
def a_line_that_goes_on_in_the_next(r):
    return request(headers=("Host: x", f"X-Y: {word(r)}", r.choice(" \t") + word(r)))


@kind(LARGE)
def a_header_that_is_too_long(r):
    return request(headers=("Host: x", f"X-Y: {word(r, 8192, 20000)}"))


@kind(LARGE)
def headers_that_are_too_many(r):
    return request(headers=("Host: x", *[f"X-{i}: {word(r)}" for i in range(r.randint(1200, 3000))]))


@kind(LARGE)
def a_target_that_is_too_long(r):
    return request(f"/vmcp/web?{GOOD}&x={word(r, 8192, 20000)}")


@kind(LARGE)
def a_line_without_an_end(r):
    return b"GET /" + raw(word(r, 9000, 40000))


# -- bodies ----------------------------------------------------------------------------------------

@kind({400, 405, 413})
def a_body(r):
    body = raw(word(r, 1, 500))
    return request(method=r.choice(["POST", "PUT"]), body=body,
                   headers=("Host: x", f"Content-Length: {len(body)}"))


@kind({CLOSED, 400, 413})
def a_length_that_is_none(r):
    length = r.choice(["-1", "x", "1x", "+5", "0x10", "18446744073709551617", "9" * 40, "1 2", "1,1"])
    return request(headers=("Host: x", f"Content-Length: {length}"), body=raw(word(r)))


@kind({CLOSED, 400, 413})
def two_lengths(r):
    return request(headers=("Host: x", "Content-Length: 3", f"Content-Length: {r.randint(4, 9)}"),
                   body=b"abcdefghi")


@kind({CLOSED, 400, 413, 501})
def a_length_and_chunks(r):
    """What a proxy and a server may read differently."""
    return request(headers=("Host: x", f"Content-Length: {r.randint(0, 60)}",
                            "Transfer-Encoding: chunked"), body=b"0\r\n\r\n" + request())


@kind({CLOSED, 400, 413, 501})
def a_coding_that_nobody_knows(r):
    coding = r.choice(["gzip", "chunked, gzip", "identity, x", "xchunked", word(r)])
    return request(headers=("Host: x", f"Transfer-Encoding: {coding}"), body=raw(word(r)))


@kind({CLOSED, 400, 405, 413})
def broken_chunks(r):
    body = r.choice([b"x\r\n", b"-1\r\n", b"ffffffffffffffffff\r\n", b"5\r\nabc", b"3 ;\0\r\nabc\r\n"])
    return request(method="POST", headers=("Host: x", "Transfer-Encoding: chunked"), body=body)


# -- no request at all -----------------------------------------------------------------------------

@kind(CUT)
def a_request_that_is_cut(r):
    whole = request()
    return whole[:r.randint(0, len(whole) - 3)]


@kind(CUT)
def noise(r):
    return r.randbytes(r.randint(1, 600)) + r.choice([b"", b"\r\n\r\n"])


@kind(CUT)
def empty_lines(r):
    return b"\r\n" * r.randint(1, 50)


@kind(CUT)
def a_client_hello(r):
    return b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + r.randbytes(r.randint(0, 600))


@kind({CLOSED, 400, 405, 505})
def a_byte_changed(r):
    """In the request line of a good request, into one that its place does not have."""
    line, rest = request().split(b"?", 1)
    at = r.randrange(len(line))
    return line[:at] + bytes([r.choice(b"\x00\x01\x0b\x1f\x7f")]) + line[at + 1:] + b"?" + rest
