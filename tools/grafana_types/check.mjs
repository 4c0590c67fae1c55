// Checks boards against the types that Grafana publishes (@grafana/schema), with TypeScript.
//
//   npm ci --ignore-scripts --prefix tools/grafana_types      (once)
//   node tools/grafana_types/check.mjs dashboards/*.json      exit 1 and one line per fault
//
// A board is written as a literal of the type Dashboard, and each panel's options and field settings
// as literals of its own plugin's types: unknown keys are errors, as are wrong values.

import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const here = dirname(fileURLToPath(import.meta.url));
const plugins = { timeseries: "TimeSeries", stat: "Stat", table: "Table" };
const withFieldConfig = new Set(["timeseries", "table"]);
const types = (path) => `./node_modules/@grafana/schema/dist/types/${path}`;

// JSON has strings and numbers where the types have enums; and what Grafana fills in may be absent.
const prelude = `
import type * as grafana from "${types("raw/dashboard/x/dashboard_types.gen")}";
${Object.entries(plugins)
  .map(
    ([kind, name]) =>
      `import type * as ${kind} from "${types(`raw/composable/${kind}/panelcfg/x/${name}PanelCfg_types.gen`)}";`,
  )
  .join("\n")}
type Json<T> = T extends string
  ? \`\${T}\`
  : T extends number
    ? \`\${T}\` extends \`\${infer N extends number}\` ? N : never
    : T extends object
      ? { [K in keyof T]: Json<T[K]> }
      : T;
`;

function source(board) {
  const lines = [prelude, `export const board: Json<grafana.Dashboard> = ${JSON.stringify(board)};`];
  const where = [];
  for (const panel of board.panels) {
    if (panel.type === "row") continue;
    if (!(panel.type in plugins)) throw new Error(`${panel.title}: no types for ${panel.type}`);
    const literal = (type, value, what) => {
      where.push([`p${where.length}`, `${panel.title}: ${what}`]);
      lines.push(`export const p${where.length - 1}: ${type} = ${JSON.stringify(value)};`);
    };
    literal(`Json<${panel.type}.Options>`, panel.options, "options");
    const custom = panel.fieldConfig.defaults.custom;
    if (withFieldConfig.has(panel.type)) {
      literal(`Partial<Json<${panel.type}.FieldConfig>>`, custom, "fieldConfig.defaults.custom");
    }
  }
  return [lines.join("\n"), new Map(where)];
}

const options = {
  noEmit: true,
  strict: true,
  skipLibCheck: true,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  types: [],
};
const made = new Map(
  process.argv.slice(2).map((file) => {
    const name = basename(file, ".json");
    return [join(here, `board-${name}.ts`), { name, checked: source(JSON.parse(readFileSync(file))) }];
  }),
);
const host = ts.createCompilerHost(options);
const { readFile, fileExists, getSourceFile } = host;
host.fileExists = (path) => made.has(path) || fileExists(path);
host.readFile = (path) => (made.has(path) ? made.get(path).checked[0] : readFile(path));
host.getSourceFile = (path, ...rest) =>
  made.has(path)
    ? ts.createSourceFile(path, made.get(path).checked[0], ts.ScriptTarget.ESNext, true)
    : getSourceFile(path, ...rest);

const faults = ts.getPreEmitDiagnostics(ts.createProgram([...made.keys()], options, host));
for (const fault of faults) {
  const entry = made.get(fault.file?.fileName);
  const text = ts.flattenDiagnosticMessageText(fault.messageText, "\n  ");
  const line = entry && fault.file.text.slice(0, fault.start).split("\n").at(-1);
  const variable = line?.match(/^export const (\w+)/)?.[1];
  const at = fault.file?.text.slice(fault.start, fault.start + 80);
  console.error(`${entry?.name}: ${entry?.checked[1].get(variable) ?? ""} ${at}\n  ${text}`);
}
console.log(`${made.size} boards, ${faults.length} faults`);
process.exit(faults.length ? 1 : 0);
