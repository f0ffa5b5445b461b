// Judges HTML pages with html-validate and prints one line of JSON: a list of {page, rule, message, line}, empty when all is well.
// Standard input is a JSON object: name of the page → text. Rules are the standard's, and those for accessibility.
import { readFileSync } from 'node:fs';
import { HtmlValidate, StaticConfigLoader } from 'html-validate';

const judge = new HtmlValidate(new StaticConfigLoader({
  root: true,
  extends: ['html-validate:standard', 'html-validate:a11y'],
}));
const found = [];
for (const [page, text] of Object.entries(JSON.parse(readFileSync(0, 'utf8')))) {
  const report = await judge.validateString(text, page);
  for (const result of report.results) {
    for (const m of result.messages) found.push({ page, rule: m.ruleId, message: m.message, line: m.line });
  }
}
console.log(JSON.stringify(found));
