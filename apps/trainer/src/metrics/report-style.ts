/** The style of a report: light or dark as the reader's system is, one column on a phone. */
export const REPORT_STYLE = `
:root { color-scheme: light dark; --paper: #fafaf8; --card: #fff; --ink: #1c1e21; --muted: #61666d; --grid: #e4e5e7; --train: #2563c9; --valid: #c2410c; }
@media (prefers-color-scheme: dark) { :root { --paper: #141517; --card: #1d1f22; --ink: #e8e9eb; --muted: #a0a5ad; --grid: #34373c; --train: #6ea8ff; --valid: #ff9a5c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1160px; padding: 28px 20px 48px; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 26px; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 36px 0 12px; font-size: 19px; }
p { margin: 4px 0 0; color: var(--muted); overflow-wrap: anywhere; }
.warning { color: var(--valid); font-weight: 600; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 12px; margin: 22px 0; }
dl div, figure, .sample, pre, .table { background: var(--card); border: 1px solid var(--grid); border-radius: 8px; }
dl div { padding: 10px 14px; }
dt { color: var(--muted); font-size: 13px; }
dd { margin: 0; font-size: 20px; font-weight: 600; font-variant-numeric: tabular-nums; }
dd small { display: block; color: var(--muted); font-size: 13px; font-weight: 400; }
.charts { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 14px; }
figure { margin: 0; padding: 12px 14px 10px; }
figure.wide { grid-column: 1 / -1; }
figure.wide .plot { height: 320px; }
figcaption span { color: var(--muted); font-size: 13px; }
figcaption ul { display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 2px 0 0; padding: 0; list-style: none; font-size: 13px; }
figcaption i { display: inline-block; width: 14px; height: 3px; margin-right: 6px; border-radius: 2px; vertical-align: middle; }
.faint i { opacity: .35; }
.plot { position: relative; height: 190px; margin: 14px 22px 24px 46px; font-size: 12px; color: var(--muted); font-variant-numeric: tabular-nums; }
.plot svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible; }
.y span { position: absolute; right: 100%; margin-right: 8px; transform: translateY(-50%); white-space: nowrap; }
.x span { position: absolute; top: 100%; margin-top: 5px; transform: translateX(-50%); white-space: nowrap; }
.x em { position: absolute; top: 100%; right: 100%; margin: 5px 12px 0 0; font-style: normal; }
.plot path { fill: none; vector-effect: non-scaling-stroke; stroke-linejoin: round; stroke-linecap: round; stroke-width: 2; }
.plot .grid { stroke: var(--grid); stroke-width: 1; }
.plot .faint { opacity: .35; stroke-width: 1; }
.plot .dot { stroke-width: 7; }
.table { overflow-x: auto; margin-top: 14px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 14px; text-align: right; border-top: 1px solid var(--grid); white-space: nowrap; }
tr:first-child th { border-top: 0; color: var(--muted); font-weight: 400; }
th:first-child, td:first-child { text-align: left; }
.sample { margin: 0 0 10px; padding: 10px 14px; white-space: pre-wrap; overflow-wrap: anywhere; }
h3 { margin: 16px 0 8px; color: var(--muted); font-size: 13px; font-weight: 400; }
summary { cursor: pointer; color: var(--muted); }
pre { margin: 10px 0 0; padding: 12px 14px; overflow-x: auto; font: 13px/1.5 ui-monospace, monospace; }
@media (max-width: 900px) { .charts { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 480px) { body { padding: 18px 12px 36px; } dl { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 8px; } dl div { padding: 8px 10px; } dd { font-size: 18px; } figure.wide .plot { height: 240px; } }
@media print { body { max-width: none; } figure, .sample { break-inside: avoid; } }
`;
