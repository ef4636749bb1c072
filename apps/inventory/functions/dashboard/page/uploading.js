// Takes files from the picker or dropped on the page, and puts each into the bucket with a URL that the API signs.

const AT_ONCE = 4;

/** Calls `begun` once and then `changed` for every step of an upload: {name, phase, sent, problem}. */
export function takeUploads({ input, page, begun, changed }) {
  const queue = [];
  let running = 0;

  async function add(files) {
    for (const file of files) {
      const kind = await kindOf(file);
      const name = kind === "orders" ? `orders/${file.name}` : file.name;
      const upload = { name, kind, file, phase: "waiting", sent: 0, problem: null };
      begun(upload);
      queue.push(upload);
      changed(upload);
    }
    work();
  }

  async function work() {
    while (running < AT_ONCE && queue.length) {
      running += 1;
      run(queue.shift(), changed).finally(() => {
        running -= 1;
        work();
      });
    }
  }

  input.addEventListener("change", () => {
    add([...input.files]);
    input.value = "";
  });
  takeDrops(page, add);
}

async function run(upload, changed) {
  const become = (phase, values = {}) => changed(Object.assign(upload, { phase }, values));
  try {
    become("sending");
    const place = await signed(upload);
    await put(upload.file, place, (sent) => become("sending", { sent }));
    become("loading");
  } catch (error) {
    become("failed", { problem: error.message });
  }
}

/** A file of orders is JSON, or CSV with a column named order. */
async function kindOf(file) {
  if (/\.json$/i.test(file.name)) return "orders";
  const beginning = await file.slice(0, 4_096).text().catch(() => "");
  const columns = beginning.trimStart().split(/[\r\n]/, 1)[0].split(/[,;]/);
  return columns.some((column) => column.replaceAll('"', "").trim().toLowerCase() === "order") ? "orders" : "inventory";
}

async function signed({ file, kind }) {
  const body = JSON.stringify({ name: file.name, size: file.size, kind });
  const headers = { "Content-Type": "application/json" };
  let answer;
  try {
    answer = await fetch("api/uploads", { method: "POST", headers, body });
  } catch {
    throw new Error("No connection.");
  }
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(content.error ?? `The server answered ${answer.status}.`);
  return content;
}

/** fetch cannot tell how much it has sent; XMLHttpRequest can. */
function put(file, { method, url, headers }, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onload = () => (request.status === 200 ? resolve() : reject(new Error(`The bucket answered ${request.status}.`)));
    request.onerror = () => reject(new Error("The file could not be sent."));
    request.send(file);
  });
}

function takeDrops(page, add) {
  let depth = 0;
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  const show = (dragging) => page.classList.toggle("dragging", dragging);

  page.addEventListener("dragenter", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth += 1;
    show(true);
  });
  page.addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
  page.addEventListener("dragleave", (event) => {
    if (carriesFiles(event) && --depth <= 0) show(false);
  });
  page.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth = 0;
    show(false);
    add([...event.dataTransfer.files]);
  });
}
