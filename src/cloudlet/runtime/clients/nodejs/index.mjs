// The runtime interface client of Node.js functions: loads the handler, then serves one invocation after another.

import { RuntimeApi } from "./runtime_api.mjs";
import { makeContext } from "./context.mjs";
import { forLog, forRuntimeApi, RuntimeError } from "./errors.mjs";
import { loadHandler } from "./handler.mjs";
import { setRequestId, takeOverConsole } from "./console.mjs";
import { isStreaming, provideStreaming, ResponseStream } from "./streaming.mjs";

const UNHANDLED_REJECTION = 128;
const UNCAUGHT_EXCEPTION = 129;

const api = new RuntimeApi(process.env.AWS_LAMBDA_RUNTIME_API);
let current; // the id of the invocation that runs
let whenIdle; // what is to be done once the event loop is empty

async function main() {
  takeOverConsole();
  provideStreaming();
  process.on("uncaughtException", (error) => fail("Uncaught Exception", error, UNCAUGHT_EXCEPTION));
  process.on("unhandledRejection", (reason, promise) => {
    fail("Unhandled Promise Rejection", rejection(reason, promise), UNHANDLED_REJECTION);
  });
  process.on("beforeExit", () => {
    const then = whenIdle;
    whenIdle = undefined;
    then?.();
  });
  let handler;
  try {
    handler = await loadHandler(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);
  } catch (error) {
    await fail("Uncaught Exception", error, 1);
  }
  for (;;) {
    await serve(handler, await api.next());
  }
}

async function serve(handler, { headers, body }) {
  const id = headers["lambda-runtime-aws-request-id"];
  const trace = headers["lambda-runtime-trace-id"];
  current = id;
  setRequestId(id);
  if (trace === undefined) {
    delete process.env._X_AMZN_TRACE_ID;
  } else {
    process.env._X_AMZN_TRACE_ID = trace;
  }
  const context = makeContext(headers);
  try {
    const event = JSON.parse(body);
    if (isStreaming(handler)) {
      await serveStream(handler, event, context, id);
    } else {
      await api.respond(id, asJson(await result(handler, event, context)));
    }
  } catch (error) {
    console.error("Invoke Error", forLog(error));
    await api.fail(id, forRuntimeApi(error));
  }
  current = undefined;
}

// What the handler answers: by its promise, by its callback, or with nothing once nothing is left to be done.
function result(handler, event, context) {
  return new Promise((resolve, reject) => {
    const settle = (error, value, waits) => {
      whenIdle = undefined;
      if (error !== undefined && error !== null) {
        reject(error);
      } else if (waits) {
        whenIdle = () => resolve(value);
      } else {
        resolve(value);
      }
    };
    context.done = (error, value) => settle(error, value, false);
    context.succeed = (value) => settle(null, value, false);
    context.fail = (error) => settle(error ?? "handled", undefined, false);
    whenIdle = () => resolve(null);
    const answer = handler(event, context, (error, value) => {
      settle(error, value, context.callbackWaitsForEmptyEventLoop);
    });
    if (typeof answer?.then === "function") {
      answer.then(context.succeed, (error) => reject(error));
    }
  }).finally(() => {
    whenIdle = undefined;
  });
}

async function serveStream(handler, event, context, id) {
  const stream = new ResponseStream(api, id);
  try {
    await handler(event, stream, context);
    await stream.delivered;
  } catch (error) {
    if (!stream.begun) {
      throw error;
    }
    console.error("Invoke Error", forLog(error));
    await stream.breakOff(forRuntimeApi(error));
  }
}

function asJson(value) {
  try {
    return JSON.stringify(value === undefined ? null : value) ?? "null";
  } catch {
    throw new Error("Unable to stringify response body");
  }
}

function rejection(reason, promise) {
  const error = new RuntimeError("Runtime.UnhandledPromiseRejection", String(reason));
  return Object.assign(error, { reason, promise });
}

// Tells what nobody caught, and ends: what it has left behind is not to be trusted.
async function fail(what, error, status) {
  console.error(what, forLog(error));
  try {
    await (current === undefined ? api.failInit(forRuntimeApi(error)) : api.fail(current, forRuntimeApi(error)));
  } finally {
    process.exit(status);
  }
}

await main();
