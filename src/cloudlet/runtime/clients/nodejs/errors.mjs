// Errors as Lambda shows them: to whoever invokes, and in the log.

import { types } from "node:util";

export class RuntimeError extends Error {
  constructor(name, message) {
    super(message);
    this.name = name;
    Error.captureStackTrace(this, new.target); // begins with the name
  }
}

export function isError(value) {
  return types.isNativeError(value) || value instanceof Error;
}

// The body for the Runtime API: anything may be thrown.
export function forRuntimeApi(error) {
  if (!isError(error)) {
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  }
  const shown = { errorType: error.name, errorMessage: error.message, trace: lines(error.stack) };
  if ("reason" in error && "promise" in error) {
    shown.reason = isError(error.reason) ? forLog(error.reason) : error.reason;
    shown.promise = {};
  }
  return shown;
}

// With whatever the error carries beside its type, its message and its stack.
export function forLog(error) {
  if (!isError(error)) {
    return { errorType: typeof error, errorMessage: String(error), stack: [] };
  }
  const { name, message, stack, ...carried } = error;
  const extra = Object.fromEntries(
    Object.entries(carried).map(([key, value]) => [key, isError(value) ? forLog(value) : value]),
  );
  return { errorType: error.name, errorMessage: error.message, ...extra, stack: lines(error.stack) };
}

function lines(stack) {
  return typeof stack === "string" ? stack.split("\n") : [];
}
