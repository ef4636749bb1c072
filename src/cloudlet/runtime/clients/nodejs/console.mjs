// What `console` writes: with the time, the request and a level, as text or as JSON.

import { format } from "node:util";
import { forLog, isError } from "./errors.mjs";

const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
const METHODS = { trace: "TRACE", debug: "DEBUG", info: "INFO", log: "INFO", warn: "WARN", error: "ERROR", fatal: "FATAL" };

let requestId;

export function setRequestId(id) {
  requestId = id;
}

export function takeOverConsole() {
  const least = LEVELS.indexOf(process.env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase());
  const line = process.env.AWS_LAMBDA_LOG_FORMAT === "JSON" ? jsonLine : textLine;
  for (const [method, level] of Object.entries(METHODS)) {
    console[method] = (...values) => {
      if (LEVELS.indexOf(level) >= least) {
        process.stdout.write(`${line(level, values)}\n`);
      }
    };
  }
}

// A message of several lines is one event of the log: within it lines end by carriage returns.
function textLine(level, values) {
  const time = new Date().toISOString();
  const shown = values.map((value) => (isLogged(value) ? `\t${JSON.stringify(value)}` : value));
  return `${time}\t${requestId}\t${level}\t${format(...shown)}`.replaceAll("\n", "\r");
}

function jsonLine(level, values) {
  const line = { timestamp: new Date().toISOString(), level, requestId };
  if (values.length === 1) {
    line.message = isError(values[0]) ? described(values[0]) : values[0];
    try {
      return JSON.stringify(line);
    } catch {
      line.message = format(values[0]);
      return JSON.stringify(line);
    }
  }
  const logged = values.find(isLogged);
  if (logged !== undefined) {
    return JSON.stringify({ ...line, message: { ...logged, stack: undefined, stackTrace: logged.stack } });
  }
  line.message = format(...values);
  const error = values.find(isError);
  return JSON.stringify(error === undefined ? line : { ...line, ...described(error) });
}

function described(error) {
  const { errorType, errorMessage, stack } = forLog(error);
  return { errorType, errorMessage, stackTrace: stack };
}

// What `forLog` has made of an error.
function isLogged(value) {
  return value !== null && typeof value === "object" && "errorType" in value && Array.isArray(value.stack);
}
