// Responses that are streamed, and the global `awslambda` by which a function asks for that.

import { Writable } from "node:stream";

const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");
const DEFAULT_TYPE = "application/octet-stream";
const HTTP_TYPE = "application/vnd.awslambda.http-integration-response";
// Between the head of an HTTP response and its body.
const DELIMITER = Buffer.alloc(8);

export function provideStreaming() {
  globalThis.awslambda = {
    streamifyResponse(handler, options) {
      handler[STREAMING] = "response";
      if (options?.highWaterMark !== undefined) {
        handler[Symbol.for("aws.lambda.runtime.handler.streaming.highWaterMark")] = options.highWaterMark;
      }
      return handler;
    },
    HttpResponseStream: {
      from(stream, head) {
        stream.setContentType(HTTP_TYPE);
        stream.prelude = Buffer.concat([Buffer.from(JSON.stringify(head)), DELIMITER]);
        return stream;
      },
    },
  };
}

export function isStreaming(handler) {
  return handler[STREAMING] === "response";
}

// Opens its request with the first chunk: until then the function may fail like any other.
export class ResponseStream extends Writable {
  constructor(api, id) {
    super({ decodeStrings: true });
    this.api = api;
    this.id = id;
    this.contentType = DEFAULT_TYPE;
    this.prelude = undefined;
    this.request = undefined;
    this.delivered = new Promise((resolve, reject) => {
      this.on("finish", resolve);
      this.on("error", reject);
    });
    this.delivered.catch(() => {}); // whoever awaits it hears of it
  }

  get begun() {
    return this.request !== undefined;
  }

  setContentType(type) {
    this.contentType = type;
  }

  write(chunk, ...rest) {
    const isPlain = typeof chunk === "string" || chunk instanceof Uint8Array;
    return super.write(isPlain ? chunk : JSON.stringify(chunk), ...rest);
  }

  _write(chunk, encoding, done) {
    this.#open();
    this.request.write(chunk, done);
  }

  _final(done) {
    this.#open();
    this.request.end();
    this.answered.then(() => done(), done);
  }

  // The response has begun: that it will not be whole is told behind it.
  async breakOff(error) {
    this.request.addTrailers({
      "Lambda-Runtime-Function-Error-Type": error.errorType,
      "Lambda-Runtime-Function-Error-Body": Buffer.from(JSON.stringify(error)).toString("base64"),
    });
    this.request.end();
    await this.answered;
  }

  #open() {
    if (this.request === undefined) {
      ({ request: this.request, answered: this.answered } = this.api.stream(this.id, this.contentType));
      this.answered.catch(() => {}); // `_final` hears of it
      if (this.prelude !== undefined) {
        this.request.write(this.prelude);
      }
    }
  }
}
