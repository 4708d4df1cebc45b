// Evaluates C2PA asset rubrics over crJSON.
//
// stdin:  {"rubrics": {NAME: {"variables": {...}, "expressions": {...}, "statements": [...]}}, "files": {NAME: crJSON}}
// stdout: {FILE: {RUBRIC: [{"id", "passed", "value", "error"}]}}
//
// A statement passes when its value is true; with failIfMatched or warnIfMatched, when nothing matched (an empty
// list, false or null). A warning counts as a failure here. An expression that cannot be evaluated fails, whatever
// the rubric would make of null: a rule that did not run has not been passed.
import JsonFormula from '@adobe/json-formula';

const EXPECTED = { $expected_spec_version: '2.4' };

function evaluator(rubric) {
  const globals = { ...EXPECTED, ...rubric.variables };
  const functions = {};
  // A formula object holds the state of one evaluation, so a nested call gets another; making one is slow.
  const idle = new Map();
  const evaluate = (expression, data, args) => {
    const waiting = idle.get(expression) ?? [];
    idle.set(expression, waiting);
    const formula = waiting.pop() ?? new JsonFormula(functions);
    formula.ast ??= formula.compile(expression, [...Object.keys(globals), '$args']);
    const value = formula.run(formula.ast, data, 'en-US', { ...globals, $args: args });
    waiting.push(formula);
    return value;
  };
  for (const [name, expression] of Object.entries(rubric.expressions ?? {})) {
    functions[name] = {
      _func: (args, data) => evaluate(expression, data, args),
      _signature: [{ types: [1], optional: true, variadic: true }],
    };
  }
  return evaluate;
}

function matched(value) {
  return Array.isArray(value) ? value.length > 0 : value !== null && value !== undefined && value !== false && value !== '';
}

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { rubrics, files } = JSON.parse(Buffer.concat(chunks).toString('utf8'));
const results = {};
const evaluators = Object.fromEntries(Object.entries(rubrics).map(([name, rubric]) => [name, evaluator(rubric)]));
for (const [file, crjson] of Object.entries(files)) {
  results[file] = {};
  for (const [name, rubric] of Object.entries(rubrics)) {
    const evaluate = evaluators[name];
    results[file][name] = rubric.statements.map(statement => {
      try {
        const value = evaluate(statement.expression, crjson, []);
        const passed = statement.failIfMatched || statement.warnIfMatched ? !matched(value) : value === true;
        return { id: statement.id, passed, value: value ?? null, error: null };
      } catch (error) {
        return { id: statement.id, passed: false, value: null, error: String(error.message ?? error) };
      }
    });
  }
}
process.stdout.write(JSON.stringify(results));
