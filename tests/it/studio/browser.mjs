// What somebody does in the studio, step by step, in a real browser. Anything in the console, any request to elsewhere and any
// violation that axe-core finds ends it.
const { chromium } = await import(`${process.env.MODULES}/node_modules/playwright-core/index.mjs`);
const { readFileSync } = await import("node:fs");
const axe = readFileSync(`${process.env.MODULES}/node_modules/axe-core/axe.min.js`, "utf8");
const { LINK, CHROMIUM, OTHER_ROW, SCREENSHOTS } = process.env;
const origin = new URL(LINK).origin;
const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const browser = await chromium.launch({ executablePath: CHROMIUM, args });
const faults = [];
let page;

function must(condition, what) {
  if (!condition) throw new Error(`${what}\n${faults.join("\n")}`);
}

async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  page = await context.newPage();
  page.setDefaultTimeout(20000);
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && !expected(message.text()) && faults.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`page: ${error.message}`));
  page.on("request", (request) => new URL(request.url()).origin === origin || faults.push(`elsewhere: ${request.url()}`));
}

let refusals = false;
// Chromium tells of every answer that is a refusal, which some steps are about.
const expected = (text) => refusals && text.includes("Failed to load resource");

// axe runs in a world of its own, so the page's policy stays as it is.
async function accessible(name) {
  const session = await page.context().newCDPSession(page);
  const { frameTree } = await session.send("Page.getFrameTree");
  const { executionContextId: contextId } = await session.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id });
  const evaluate = async (expression) => {
    const { result, exceptionDetails } = await session.send("Runtime.evaluate", { expression, contextId, awaitPromise: true, returnByValue: true });
    must(!exceptionDetails, `axe on ${name}: ${JSON.stringify(exceptionDetails)}`);
    return result.value;
  };
  await evaluate(`${axe}; 0`);
  const found = await evaluate("axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.slice(0, 3).map((node) => node.html).join(' | ')))");
  must(found.length === 0, `${name} keeps people out:\n${found.join("\n")}`);
}

async function step(name, work) {
  await work();
  await accessible(name);
  must(faults.length === 0, name);
  const small = await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth);
  must(small, `${name} is wider than the window`);
  if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/${name.replaceAll(" ", "-")}.png` });
  console.log("done:", name);
}

const go = (path) => page.goto(origin + path);

// Does what leads to another page, and waits for that.
async function follow(act) {
  await Promise.all([page.waitForEvent("framenavigated"), act()]);
  await page.waitForLoadState("load");
}

const press = (role, name) => follow(() => page.getByRole(role, { name }).click());
const enter = () => follow(() => page.keyboard.press("Enter"));

async function everything() {
  await step("the workspaces", async () => {
    await page.goto(LINK);
    must(page.url() === `${origin}/`, "the token stays in the address");
    await page.getByRole("searchbox").fill("a");
    await enter();
  });
  await step("the tables", () => follow(() => page.locator(".cards a", { hasText: "a" }).first().click()));
  const base = new URL(page.url()).pathname.replace("/tables", "");
  await step("rows", async () => {
    await press("link", /^documents/);
    await press("link", "Next →");
    await press("link", "← Previous");
    must((await page.locator("time [class=quiet]").first().textContent()).length > 2, "times are not told relative to now");
  });
  await step("rows in another order", () => press("link", "title"));
  await step("rows of other columns", async () => {
    await page.getByText("Columns", { exact: true }).click();
    await page.getByRole("checkbox", { name: "summary" }).uncheck();
    await press("button", "Apply");
    must((await page.getByRole("columnheader", { name: "summary" }).count()) === 0, "the column is still there");
  });
  await step("filtered rows", async () => {
    await go(`${base}/tables/documents`);
    await page.keyboard.press("/");
    await page.keyboard.type("Page 77");
    await enter();
    must((await page.locator("tbody tr").count()) === 1, "the filter shows other rows");
    await page.getByRole("link", { name: "CSV" }).click();
    await page.getByText("Copied as CSV.").waitFor();
    must((await page.evaluate(() => navigator.clipboard.readText())).includes("Page 77"), "nothing was copied");
  });
  await step("a row", async () => {
    await press("link", "open");
    await page.getByText("Page 77").waitFor();
    await page.locator(".json summary").last().click();
  });
  await step("the form of a row", () => press("link", "Edit"));
  await step("a refused change", async () => {
    refusals = true;
    await page.getByLabel("metadata").fill("{no json");
    await press("button", "Save");
    await page.getByText("invalid input syntax for type json").waitFor();
    refusals = false;
  });
  await step("a changed row", async () => {
    await page.getByLabel("metadata").fill('{"n": 2}');
    await page.getByLabel("title").fill("Page seventy-seven");
    await press("button", "Save");
    await page.getByText("Page seventy-seven").waitFor();
  });
  await step("a change that was taken back", async () => {
    await press("button", "Undo the last change");
    await page.getByText("Page 77").waitFor();
    must((await page.getByText("Page seventy-seven").count()) === 0, "the change is still there");
  });
  await step("a followed key", async () => {
    await go(`${base}/tables/document_chunks`);
    await follow(() => page.locator("td.uuid a").first().click());
    await page.getByText("Opening hours").waitFor();
    await press("link", "document_chunks.document_id");
    must((await page.locator("tbody tr").count()) === 1, "the way back shows other rows");
  });
  await step("a passage", () => press("link", "open"));
  await step("more like this", async () => {
    await press("link", "More like this");
    await page.locator(".hits li").first().waitFor();
  });
  await step("a search", async () => {
    await go(`${base}/search`);
    await page.getByRole("searchbox").fill("open from nine");
    await enter();
    await page.getByRole("region", { name: "Answer" }).locator(".hits mark").first().waitFor();
    must((await page.locator(".hits li").count()) === 1, "a document is shown more than once");
  });
  await step("a comparison of the methods", async () => {
    await press("link", "Comparison of the methods");
    await page.getByRole("region", { name: "Hybrid" }).getByText("ms").waitFor();
    await page.waitForFunction(() => document.querySelector(".lists") && !document.querySelector(".lists").textContent.includes("searching …"));
    must((await page.getByRole("region", { name: "Full text" }).locator(".hits li").count()) === 1, "the words find nothing");
  });
  await step("the schema", async () => {
    await press("link", "Schema");
    await page.locator("section#documents summary").click();
    must((await page.locator(".diagram a").count()) > 10, "the diagram is empty");
  });
  await step("the map", async () => {
    await press("link", "Map");
    await page.locator(".map a").first().waitFor();
    await page.locator(".map a").first().focus();
    must((await page.locator("#passage").textContent()).includes("nine to five"), "the passage is not shown");
  });
  await step("the jobs", async () => {
    await press("link", "Jobs");
    await page.locator("[data-chart] canvas").waitFor();
  });
  await step("jobs as they change", async () => {
    const drawn = await page.locator("[data-chart]").elementHandle();
    await page.waitForFunction((chart) => !chart.isConnected, drawn);
    await page.locator("[data-chart] canvas").waitFor();
  });
  await step("a job", async () => {
    await follow(() => page.getByRole("link", { name: "queued", exact: true }).click());
    await follow(() => page.locator("tbody th a").last().click());
    await press("button", "Cancel");
    await page.getByText("cancelled").first().waitFor();
  });
  await step("the conversations", () => press("link", "Conversations"));
  await step("a conversation", async () => {
    await follow(() => page.locator(".cards a").first().click());
    await page.getByText("When do you open?").waitFor();
    must((await page.getByText("confidence 0.80").count()) === 1 && (await page.getByText("good").count()) === 1, "it says nothing of confidence and feedback");
  });
  await step("the audit log", async () => {
    await press("link", "Audit log");
    await page.getByText("row.update").first().waitFor();
    await page.locator(".entries summary").first().click();
  });
  await step("the doctor", async () => {
    await press("link", "Doctor");
    await page.getByText("checks need attention").waitFor();
  });
  await step("another workspace", async () => {
    await page.getByLabel("Workspace").fill("b");
    await press("button", "Switch");
    must((await page.getByLabel("Workspace").inputValue()) === "b", "the switch shows another workspace");
  });
  await step("a row of another workspace", async () => {
    refusals = true;
    await go(OTHER_ROW);
    await page.getByRole("heading", { name: "Not found" }).waitFor();
    refusals = false;
  });
  await step("all workspaces", async () => {
    await go("/platform/tables/documents");
    await page.getByText("All workspaces", { exact: true }).waitFor();
  });
}

await open();
await everything();
// The same pages, dark and on a small screen; the browser has to be let in again, so it brings what it has.
const cookies = await page.context().cookies();
const addresses = ["/", "/platform/tables", "/platform/tables/documents", "/platform/schema", "/platform/jobs", "/platform/audit", "/platform/doctor"];
for (const [name, options] of [["dark", { colorScheme: "dark" }], ["small", { viewport: { width: 360, height: 640 } }]]) {
  await open(options);
  await page.context().addCookies(cookies);
  for (const path of addresses) await step(`${name} ${path.replaceAll("/", " ")}`, () => go(path));
}
await browser.close();
console.log("all steps done");
