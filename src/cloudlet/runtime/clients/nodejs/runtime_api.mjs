// The Lambda Runtime API, over one connection that keeps nobody from ending while a function runs.

import http from "node:http";

const PREFIX = "/2018-06-01/runtime";
const JSON_TYPE = "application/json";

export class RuntimeApi {
  constructor(address) {
    const [host, port] = address.split(":");
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    this.place = { host, port: Number(port), agent };
  }

  next() {
    return this.#ask("GET", "/invocation/next");
  }

  respond(id, body) {
    return this.#ask("POST", `/invocation/${id}/response`, body, { "Content-Type": JSON_TYPE });
  }

  fail(id, error) {
    return this.#tell(`/invocation/${id}/error`, error);
  }

  failInit(error) {
    return this.#tell("/init/error", error);
  }

  // An open request whose body is the response. `answered` is resolved once all of it has been taken.
  stream(id, contentType) {
    const headers = {
      "Content-Type": contentType,
      "Lambda-Runtime-Function-Response-Mode": "streaming",
      "Transfer-Encoding": "chunked",
      Trailer: "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
    };
    const path = `${PREFIX}/invocation/${id}/response`;
    const request = http.request({ ...this.place, method: "POST", path, headers });
    return { request, answered: answerOf(request) };
  }

  #tell(path, error) {
    const headers = { "Content-Type": JSON_TYPE, "Lambda-Runtime-Function-Error-Type": error.errorType };
    return this.#ask("POST", path, JSON.stringify(error), headers);
  }

  #ask(method, path, body = "", headers = {}) {
    const length = { "Content-Length": Buffer.byteLength(body) };
    const request = http.request({ ...this.place, method, path: PREFIX + path, headers: { ...headers, ...length } });
    const answer = answerOf(request);
    request.end(body);
    return answer;
  }
}

function answerOf(request) {
  return new Promise((resolve, reject) => {
    request.on("error", reject);
    request.on("response", (response) => {
      const chunks = [];
      response.on("error", reject);
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => {
        const body = Buffer.concat(chunks).toString();
        if (response.statusCode >= 300) {
          reject(new Error(`The Runtime API answered ${response.statusCode}: ${body}`));
        } else {
          resolve({ headers: response.headers, body });
        }
      });
    });
  });
}
