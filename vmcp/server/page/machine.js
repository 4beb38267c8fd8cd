/* SPDX-License-Identifier: Apache-2.0 */
"use strict";

/* The schema of a machine, and the ladder of all checks. */

const PARAMETERS = { /* a string, or the range of an integer */
    name: "string", secret: "string", userData: "string", cernvmVersion: "string",
    cernvmFlavor: "string", diskURL: "string", diskChecksum: "string", canOverride: "string",
    cpus: [1, 2147483647], memory: [1, 2147483647], ram: [1, 2147483647], disk: [0, 2147483647],
    flags: [0, 2147483647], executionCap: [1, 100], apiPort: [1, 65535],
};

function checkParameter(key, value, others) {
    const rule = Object.hasOwn(PARAMETERS, key) ? PARAMETERS[key] : null;
    const known = Object.keys(PARAMETERS).find(name => name.toLowerCase() === key.toLowerCase());
    if (!/^[A-Za-z][A-Za-z0-9_.-]{0,127}$/.test(key) || key.toLowerCase() === "signature")
        refuse("machine-invalid", `\`${key.slice(0, 40)}\` is no parameter's name`);
    if (known && known !== key)
        refuse("machine-invalid", `\`${key}\` is written \`${known}\``);
    if (others.filter(other => other.toLowerCase() === key.toLowerCase()).length > 1)
        refuse("machine-invalid", `two parameters differ from \`${key}\` only in case`);
    const [min, max] = Array.isArray(rule) ? rule : [-2147483648, 2147483647];
    const isInteger = Number.isSafeInteger(value) && value >= min && value <= max;
    const isString = typeof value === "string" && new TextEncoder().encode(value).length <= 262144;
    if (rule === "string" ? !isString : rule ? !isInteger : !isString && !isInteger)
        refuse("machine-invalid", `\`${key}\` is of the wrong type, or out of range`);
}

/* 8. */
function checkMachine(payload) {
    if ("job" in payload)
        refuse("claims-malformed", "the claim `job` does not stand beside a machine");
    const machine = payload.machine;
    if (!isObject(machine))
        refuse("machine-invalid", "a machine is a JSON object");
    const keys = Object.keys(machine);
    if (keys.length > 256)
        refuse("machine-invalid", `${keys.length} parameters; 256 at most`);
    for (const key of keys)
        checkParameter(key, machine[key], keys);
    for (const name of ["name", "secret"])
        if (!machine[name])
            refuse("machine-invalid", `the machine has no \`${name}\`, or an empty one`);
    if ("memory" in machine && "ram" in machine)
        refuse("machine-invalid", "`memory` and `ram` are the same; one of them is wanted");
    if (("diskURL" in machine) !== ("diskChecksum" in machine))
        refuse("machine-invalid", "`diskURL` and `diskChecksum` come together or not at all");
    if ("gce" in payload && !isObject(payload.gce))
        refuse("claims-malformed", "the claim `gce` is to be an object");
    if ("count" in payload && !(Number.isSafeInteger(payload.count) && payload.count >= 1 && payload.count <= 1000))
        refuse("claims-malformed", "the claim `count` is to be an integer from 1 to 1000");
    return `${keys.length} parameters, of the schema${"gce" in payload ? "; with a part for Compute Engine" : ""}`;
}

/* `expect`: {domain, machine (null: any), hostid, salt, trusted (null: nothing), set (the JWK set),
 * now}. `tell(what, text)` hears of each check that held. The result is the payload; what does not
 * hold is thrown, a Refusal. */
async function verifyAnswer(bytes, expect, tell) {
    const answer = takeApart(bytes);
    tell("Form", `${bytes.length} bytes, three parts, strict JSON`);
    checkHeader(answer.header);
    tell("Header", `${answer.header.typ}, ${answer.header.alg}, nothing that is never accepted`);
    const key = await chooseKey(answer.header, expect.set, expect.trusted);
    tell("Key", `${key.thumbprint} (${key.type}), ${expect.trusted ? "which you trust" : "as published here"}`);
    await checkSignature(answer.header.alg, key, answer.signature, answer.signed);
    tell("Signature", `${answer.header.alg} over header and claims`);
    const p = answer.payload;
    checkClaim(p, "iss", expect.domain, "domain-mismatch", "the answer is of another domain");
    tell("Domain", `iss is ${p.iss}`);
    checkClaim(p, "sub", expect.machine, "machine-mismatch", "the answer is another machine's than the one asked for");
    checkClaim(p, "aud", expect.hostid, "hostid-mismatch", "the answer was made for another host id");
    checkClaim(p, "nonce", expect.salt, "salt-mismatch", "the answer was made for another salt: it is a replay");
    checkClaim(p, "jti", null, "", "");
    if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(p.sub))
        refuse("claims-malformed", "the claim `sub` is not a machine's name");
    tell("Machine's name", expect.machine === null ? `sub is ${p.sub}; none was asked for` : `sub is ${p.sub}`);
    tell("Host id", "aud is the one that was sent");
    tell("Salt", "nonce is the fresh one that was sent: no replay");
    tell("Time", checkTime(p, expect.now));
    tell("Serial", `${integerClaim(p, "serial")}; compare it with the highest that you have seen`);
    tell("Machine", checkMachine(p));
    return p;
}
