/** The whole style of the page: light and dark, wide and narrow, screen and paper. */
export const PAGE_STYLE = `
:root{color-scheme:light dark;--text:#1c1f24;--soft:#5b6470;--line:#dfe3e8;--ground:#fff;--raised:#f6f7f9;--bar:#3b6fd4;--old:#a9b4c2;--ok:#1a7f4b;--note:#5b6470;--warning:#9a6200;--blocks:#c02b2b}
@media (prefers-color-scheme:dark){:root{--text:#e4e7eb;--soft:#9aa4b1;--line:#333a43;--ground:#15181c;--raised:#1d2126;--bar:#6f9bf0;--old:#566170;--ok:#54c98a;--note:#9aa4b1;--warning:#e0a94a;--blocks:#f07a7a}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:1.5rem 1rem 4rem;background:var(--ground);color:var(--text);font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .25rem}
h2{font-size:1.15rem;margin:2.5rem 0 .25rem}
p{margin:.25rem 0}
small,.soft,dt{color:var(--soft)}
code,pre{font:.875em ui-monospace,monospace;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:1rem 0}
dd{margin:0;overflow-wrap:anywhere}
.verdict{border-left:.3rem solid;background:var(--raised);padding:.75rem 1rem;margin:1rem 0;font-size:1.1rem;font-weight:600}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;margin:.5rem 0;font-size:.925rem}
th{text-align:left;font-weight:600;color:var(--soft);white-space:nowrap}
th,td{padding:.35rem .75rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.part td:first-child{padding-left:1rem}
svg{display:block;width:100%;min-width:4rem;height:.4rem;margin-top:.25rem}
.bar{fill:var(--bar)}.old{fill:var(--old)}
.ok{color:var(--ok)}.note{color:var(--note)}.warning{color:var(--warning)}.blocks{color:var(--blocks)}
ul{padding:0;list-style:none}
li{margin:.5rem 0;padding:.5rem .75rem;border-left:.2rem solid;background:var(--raised)}
li span{color:var(--text)}
summary{cursor:pointer;color:var(--soft);margin:.5rem 0}
pre{white-space:pre-wrap;background:var(--raised);padding:.75rem;margin:.25rem 0 .75rem}
@media (max-width:40rem){thead{display:none}table,tbody,tr,td{display:block;width:100%}tr{padding:.5rem 0;border-bottom:1px solid var(--line)}td,.number{border:0;padding:.1rem 0;text-align:left;white-space:normal}td::before{content:attr(data-title) ": ";color:var(--soft)}td.empty{display:none}.part td:first-child{padding-left:0}}
@media print{body{max-width:none}}
`;
