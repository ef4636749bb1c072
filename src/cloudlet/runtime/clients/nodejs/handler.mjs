// Finds the handler that a function's configuration names: `folder/module.name`, in CommonJS or an ES module.

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { RuntimeError } from "./errors.mjs";
import { isStreaming } from "./streaming.mjs";

const NAME = /^([^.]*)\.(.+)$/;
// Since this version of the runtime, handlers answer by promises alone.
const CALLBACKS_ENDED = 24;
const MISSING = new Set(["MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND"]);

export async function loadHandler(root, setting) {
  if (setting.includes("..")) {
    throw new RuntimeError("Runtime.MalformedHandlerName", `'${setting}' is not a valid handler name.`);
  }
  const match = NAME.exec(path.basename(setting));
  if (match === null) {
    throw new RuntimeError("Runtime.MalformedHandlerName", "Bad handler");
  }
  const [, module, name] = match;
  const exported = await load(root, path.dirname(setting), module);
  const handler = name.split(".").reduce((found, part) => found?.[part], exported);
  if (handler === undefined) {
    throw new RuntimeError("Runtime.HandlerNotFound", `${setting} is undefined or not exported`);
  }
  if (typeof handler !== "function") {
    throw new RuntimeError("Runtime.HandlerNotFound", `${setting} is not a function`);
  }
  checkCallback(handler);
  return handler;
}

function checkCallback(handler) {
  const version = Number(/nodejs(\d+)/.exec(process.env.AWS_EXECUTION_ENV ?? "")?.[1]);
  if (version >= CALLBACKS_ENDED && handler.length >= 3 && !isStreaming(handler)) {
    throw new RuntimeError(
      "Runtime.CallbackHandlerDeprecated",
      "Handlers with a callback are not supported from Node.js 24 on: use an async handler.",
    );
  }
}

async function load(root, folder, module) {
  try {
    return await loadModule(root, folder, module);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new RuntimeError("Runtime.UserCodeSyntaxError", String(error));
    }
    if (MISSING.has(error?.code)) {
      throw new RuntimeError("Runtime.ImportModuleError", String(error));
    }
    throw error;
  }
}

async function loadModule(root, folder, module) {
  const base = path.resolve(root, folder, module);
  const require = createRequire(`${base}.js`);
  if (existsSync(`${base}.js`)) {
    return isEsModule(root, `${base}.js`) ? import(pathToFileURL(`${base}.js`)) : require(`${base}.js`);
  }
  if (existsSync(`${base}.mjs`)) {
    return import(pathToFileURL(`${base}.mjs`));
  }
  if (existsSync(`${base}.cjs`)) {
    return require(`${base}.cjs`);
  }
  // A file without an ending, or a module installed beside the function or in a layer.
  return existsSync(base) ? require(base) : require(require.resolve(module, { paths: [root, path.dirname(base)] }));
}

// By the nearest package.json, up to the function's own folder.
function isEsModule(root, file) {
  let folder = path.dirname(file);
  for (;;) {
    const description = path.join(folder, "package.json");
    if (existsSync(description)) {
      return JSON.parse(readFileSync(description, "utf8")).type === "module";
    }
    if (folder === root || folder === path.dirname(folder)) {
      return false;
    }
    folder = path.dirname(folder);
  }
}
