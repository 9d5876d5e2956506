// Reads state machines from standard input, one JSON list of them; prints each one's errors.
const path = require("path");
const validate = require(path.join(process.argv[2], "node_modules", "asl-validator"));

const machines = JSON.parse(require("fs").readFileSync(0, "utf8"));
const found = machines.map((machine) => validate(machine).errors);
process.stdout.write(JSON.stringify(found));
