// SPDX-License-Identifier: Apache-2.0
// What the tests ask of Google's libraries for Node.js: `node node.mjs WHAT [ARGUMENTS]`, in the
// folder that has the packages. Prints JSON.
import { createRequire } from "node:module";
import path from "node:path";
import process from "node:process";

const require = createRequire(path.join(process.cwd(), "package.json"));
const gcp = require("gcp-metadata");
const { GoogleAuth } = require("google-auth-library");
const compute = require("@google-cloud/compute");
const scopes = ["https://www.googleapis.com/auth/cloud-platform"];

const api = (port) => ({ apiEndpoint: "127.0.0.1", port: Number(port), protocol: "http",
                         fallback: true });

const verbs = {
  async metadata() {
    return [await gcp.isAvailable(), await gcp.project("project-id"),
            await gcp.instance("service-accounts/default/email"), await gcp.instance("zone")];
  },

  async token() {
    const client = await new GoogleAuth({ scopes }).getClient();
    return [client.constructor.name, (await client.getAccessToken()).token];
  },

  async idtoken(audience) {
    const client = await new GoogleAuth().getIdTokenClient(audience);
    return [(await client.idTokenProvider.fetchIdToken(audience))];
  },

  // The library posts to Google's token address whatever the key file says: sent here instead.
  async key(file, port) {
    const client = await new GoogleAuth({ keyFile: file, scopes }).getClient();
    client.transporter.interceptors.request.add({
      resolved: async (o) => {
        if (String(o.url) === "https://oauth2.googleapis.com/token")
          o.url = new URL(`http://127.0.0.1:${port}/token`);
        return o;
      } });
    return [client.email, (await client.getAccessToken()).token];
  },

  async instances(port, project, zone, body) {
    const instances = new compute.InstancesClient(api(port));
    const operations = new compute.ZoneOperationsClient(api(port));
    const done = async ([answer]) => {
      let operation = answer.latestResponse;
      while (operation.status !== "DONE")
        [operation] = await operations.wait({ project, zone, operation: operation.name });
      return operation;
    };
    const instanceResource = JSON.parse(body);
    const instance = instanceResource.name;
    await done(await instances.insert({ project, zone, instanceResource }));
    const [seen] = await instances.get({ project, zone, instance });
    const names = [];
    for await (const one of instances.listAsync({ project, zone })) names.push(one.name);
    await done(await instances.delete({ project, zone, instance }));
    let error = null;
    await instances.get({ project, zone, instance }).catch((e) => { error = e.message; });
    return [seen.status, names, error];
  },
};

const [what, ...args] = process.argv.slice(2);
console.log(JSON.stringify(await verbs[what](...args)));
