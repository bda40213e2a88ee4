// Package docstest holds the pages of docs/ and the READMEs to what the tree does.
//
// A block that is marked as console is executed, from the root of the tree:
//
//	```console
//	$ curl -s --cacert .flotilla/pki/ca.crt https://dictionary.localhost:8443/v1/words/dog
//	{"word":"dog",…
//	```
//
// Lines that begin with "$ " are commands, a final backslash or a here-document continues
// them; the lines after a command are what it prints, all of it. "…" in a line stands for
// any text, and "…" as a line for any lines. A command that shows nothing must succeed,
// and may print what it likes.
//
// Commands name files below .flotilla and ports of localhost as a reader has them; the
// test puts a directory and free ports of its own in their place, and ends what commands
// leave in the background. The pages of docs share one fleet, which is started before
// them. Each README has a scratch of its own and waits for what it starts by a command.
//
// A block that no test can execute says so in the line before it:
//
//	*Not executed by the tests: needs Docker.*
//
// It is then listed among the skipped tests.
package docstest
