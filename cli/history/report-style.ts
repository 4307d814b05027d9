/** The look of a report: one column of paper, and of a telephone. */
export const STYLE = `
:root { color-scheme: light; --ink: #1c2733; --faint: #5b6673; --rule: #d5dbe2; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 46rem; padding: 1.5rem 1rem; background: #fff; color: var(--ink);
  font: 15px/1.45 system-ui, "Segoe UI", Roboto, sans-serif; }
h1 { margin: 0; font-size: 1.5rem; overflow-wrap: anywhere; }
h2 { margin: 1.4rem 0 .4rem; font-size: 1.05rem; border-bottom: 1px solid var(--rule); }
p { margin: .3rem 0; }
header p, small, footer { color: var(--faint); }
small { white-space: nowrap; }
.verdict { margin: .9rem 0; padding: .5rem .7rem; border-left: 5px solid var(--faint); background: #f4f6f8; font-weight: 600; }
.verdict.well { border-color: #1b7a43; background: #eef7f1; }
.verdict.bad { border-color: #b3261e; background: #fbeeed; }
figure { margin: 1rem 0; }
svg { display: block; width: 100%; height: auto; }
.narrow { display: none; }
figcaption { display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .85rem; color: var(--faint); }
figcaption span { display: inline-flex; align-items: center; gap: .4rem; }
i { display: inline-block; width: 22px; height: 12px; }
i.line { height: 0; border-top: 2px solid #15549a; }
i.bar { background: #15549a; }
i.band { background: #a9c7e8; }
i.limit { height: 0; border-top: 2px dashed #b3261e; }
i.excursion { background: #f6d5d2; }
i.gap { background: repeating-linear-gradient(135deg, #8a94a0 0 1.6px, #f2f4f6 1.6px 6px); }
i.outage { background: radial-gradient(circle, #8a94a0 1px, #f7f8f9 1.2px) 0 0 / 5px 5px; }
i.tick { width: 2px; background: var(--ink); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(13.5rem, 1fr)); gap: .5rem 1.5rem; margin: .5rem 0; }
dt { color: var(--faint); font-size: .85rem; }
dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; }
dd small { font-weight: 400; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
th, td { padding: .25rem .6rem .25rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule); }
td { overflow-wrap: break-word; }
td:nth-child(-n+2) { white-space: nowrap; }
td:last-child { overflow-wrap: anywhere; }
th { color: var(--faint); font-weight: 500; }
code { overflow-wrap: anywhere; font-size: .85em; }
footer { margin-top: 1.6rem; padding-top: .5rem; border-top: 1px solid var(--rule); font-size: .85rem; }
.signature { margin-top: 2.4rem; padding-top: .2rem; width: 16rem; max-width: 100%; border-top: 1px solid var(--ink); }
@media (max-width: 34rem) {
  .wide { display: none; }
  .narrow { display: block; }
  thead { display: none; }
  tr { display: block; padding: .4rem 0; border-bottom: 1px solid var(--rule); }
  td { display: flex; gap: .6rem; padding: .1rem 0; border: 0; }
  td::before { content: attr(data-name); flex: 0 0 7.5rem; color: var(--faint); }
}
@media print {
  @page { size: A4; margin: 15mm; }
  body { max-width: none; padding: 0; font-size: 9.5pt; line-height: 1.35; }
  h2 { margin-top: .8rem; }
  figure { margin: .6rem 0; }
  dl { grid-template-columns: repeat(3, 1fr); }
  footer { margin-top: .8rem; }
  .wide { display: block; }
  .narrow { display: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  figure, dl, tr, footer, .verdict { break-inside: avoid; }
  h2 { break-after: avoid; }
}
`
