#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run by systemd in the fresh root, after vmcpd: what became of the service. Lines of NAME=VALUE.

fact() {
    printf '%s=%s\n' "$1" "$(printf '%s' "$2" | tr '\n\t' '; ')"
}

ask() {
    vmcp fetch "$1" --machine web --domain cfg.example.org --trust "$2" --cacert \
        /etc/vmcp/tls/cert.pem 2>&1
}

show() {
    systemctl show -p "$1" --value vmcpd
}

first=/etc/vmcp/keys/active/1.key.pub
pid=$(show MainPID)
for name in Uid Seccomp NoNewPrivs CapEff CapBnd; do
    fact "$name" "$(sed -n "s/^$name:[[:space:]]*//p" "/proc/$pid/status")"
done
fact core "$(sed -n 's/^Max core file size *//p' "/proc/$pid/limits")"
fact listen "$(ask https://127.0.0.1:8080 $first)"
fact socket "$(ask https://127.0.0.1:443 $first)"
systemctl reload vmcpd
fact reload $?
cp /etc/vmcp/configs/web.json /root/web.json
echo '{' >/etc/vmcp/configs/web.json
systemctl reload vmcpd
fact broken $?
fact old "$(ask https://127.0.0.1:8080 $first)"
cp /root/web.json /etc/vmcp/configs/web.json
systemctl reload vmcpd
fact mended $?

# As logrotate does it: root asks the server for a reload, and it opens its log again.
mv /var/log/vmcpd/access.log /var/log/vmcpd/access.log.1
vmcpd reload --control /run/vmcpd/control
fact rotated $?
ask https://127.0.0.1:8080 $first >/dev/null
fact log "$(stat -c %U /var/log/vmcpd/access.log) $(cat /var/log/vmcpd/access.log)"

kill -9 "$pid"
for _ in 1 2 3 4 5 6 7 8 9 10; do
    sleep 1
    [ "$(show ActiveState)" = active ] && break
done
fact again "$(ask https://127.0.0.1:8080 $first)"

# A fixed, encrypted key that the service's user cannot read, as the shipped example has it. It is
# the only RSA key, so version 1 comes from it.
echo 'correct horse' >/root/pass
chmod 600 /root/pass
vmcp keygen --alg rsa-2048 --passphrase file:/root/pass --out /etc/vmcp/cfg.key >/dev/null 2>&1
systemd-creds encrypt --with-key=host --name=vmcpd.passphrase /root/pass /etc/vmcp/passphrase.cred
fact encrypted $?
mkdir -p /etc/systemd/system/vmcpd.service.d
cp /usr/share/doc/vmcpd/examples/credentials.conf /etc/systemd/system/vmcpd.service.d/
systemctl daemon-reload
systemctl restart vmcpd
fact credentials $?
fact v1 "$(vmcp fetch https://127.0.0.1:8080 --machine web --domain cfg.example.org --format v1 \
    --cacert /etc/vmcp/tls/cert.pem --trust /etc/vmcp/cfg.key.pub 2>&1)"
systemctl reload vmcpd
fact reread $?
journalctl -u vmcpd -o cat | sed -n 's/^vmcpd: sandbox: /sandbox=/p' | tail -n 1
systemctl stop vmcpd.socket vmcpd
fact result "$(show Result)"
fact end end
journalctl -u vmcpd -o cat --no-pager
