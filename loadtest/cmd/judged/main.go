// Command judged makes a small judged collection out of WordNet, in the form of BEIR, again and again the same:
//
//	go run ./loadtest/cmd/judged -wordnet /usr/share/wordnet -to loadtest/relevance/testdata/wordnet
//
// Documents are the synsets of verbs and adjectives: their words and their definitions, without the example sentences. Queries are some of
// those example sentences. Relevant for a sentence are the synset that WordNet's authors wrote it for (grade 2) and that synset's closest
// relatives by WordNet's own pointers – hypernyms, verb groups, similar adjectives, see-also (grade 1). No ranking had a part in any of it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

const exitUsage = 2

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	f := flag.NewFlagSet("judged", flag.ContinueOnError)
	f.SetOutput(stderr)
	from := f.String("wordnet", "/usr/share/wordnet", "`folder` with WordNet's data.verb and data.adj")
	to := f.String("to", "", "`folder` that is written")
	queries := f.Int("queries", 300, "how many at most")
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return exitUsage
	case *to == "" || *queries < 1 || f.NArg() > 0:
		fmt.Fprintln(stderr, "judged: want -to folder, -queries of 1 or more, and nothing else")
		return exitUsage
	}
	synsets, err := read(*from)
	if err == nil {
		err = write(*to, synsets, choose(synsets, *queries))
	}
	if err != nil {
		fmt.Fprintln(stderr, "judged:", err)
		return 1
	}
	fmt.Fprintf(stdout, "%s: %d documents\n", *to, len(synsets))
	return 0
}
