// Command relevance measures how good the ranking of a search is, on a collection that people have judged.
//
//	go run ./loadtest/cmd/relevance -beir loadtest/relevance/testdata/wordnet -search http://127.0.0.1:8107 -feed
//	go run ./loadtest/cmd/relevance -topics topics.txt -qrels qrels.txt -search http://127.0.0.1:8107 -run ours.run
//	go run ./loadtest/cmd/relevance -beir scifact -score lucene.run
//
// It prints nDCG@10, mean average precision, the number of judged queries and of those without an answer, as package relevance defines them.
// Exit status: 0 measured; 1 the search or a file is not as it should be; 2 wrong arguments.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/flotilla-dev/flotilla/loadtest/relevance"
)

const (
	exitFailed = 1
	exitUsage  = 2

	depthOfNDCG = 10
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// arguments are those of the command line.
type arguments struct {
	beir, split                      string
	topics, qrels, documents, fields string
	search, run, score, tag          string
	depth, each                      int
	feed                             bool
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	a, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "relevance:", err)
		return exitUsage
	}
	if err := measure(ctx, a, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "relevance:", err)
		return exitFailed
	}
	return 0
}

func parse(args []string, stderr io.Writer) (arguments, error) {
	var a arguments
	f := flag.NewFlagSet("relevance", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&a.beir, "beir", "", "`folder` of a collection in the form of BEIR: corpus.jsonl, queries.jsonl, qrels/<split>.tsv, plain or .gz")
	f.StringVar(&a.split, "split", "test", "whose judgements of a BEIR collection are used")
	f.StringVar(&a.topics, "topics", "", "`file` of topics of TREC: between <top> and </top>, or number:text a line")
	f.StringVar(&a.fields, "topic", "title", "`fields` of a topic that are its query, joined with +: title, desc, narr")
	f.StringVar(&a.qrels, "qrels", "", "`file` of judgements of TREC: query, 0, document, grade")
	f.StringVar(&a.documents, "documents", "", "`file` of the documents of a TREC collection: <DOC> … </DOC>, or .jsonl")
	f.StringVar(&a.search, "search", "", "`URL` of the search to be asked")
	f.BoolVar(&a.feed, "feed", false, "first write the documents through the search, and wait until it sees them")
	f.IntVar(&a.depth, "depth", 1000, "hits looked at for a query")
	f.StringVar(&a.run, "run", "", "`file` in which the answers are kept, as a run of TREC")
	f.StringVar(&a.tag, "tag", "flotilla", "name of the run in its file")
	f.StringVar(&a.score, "score", "", "run `file` to be measured, in place of a search")
	f.IntVar(&a.each, "worst", 0, "also print so many queries with the lowest average precision")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return a, err
		}
		return a, errors.New("wrong arguments: -h tells them")
	}
	if f.NArg() > 0 {
		return a, fmt.Errorf("%q is no argument: all have names", f.Arg(0))
	}
	return a, a.check()
}

func (a *arguments) check() error {
	switch {
	case (a.beir == "") == (a.topics == ""):
		return errors.New("want a collection: -beir, or -topics with -qrels")
	case (a.topics == "") != (a.qrels == ""):
		return errors.New("want -topics and -qrels together")
	case a.beir != "" && a.documents != "":
		return errors.New("-documents goes with -topics: a BEIR collection has its own")
	case (a.search == "") == (a.score == ""):
		return errors.New("want what is measured: either -search or -score")
	case a.score != "" && (a.feed || a.run != ""):
		return errors.New("-feed and -run go with -search")
	case a.feed && a.beir == "" && a.documents == "":
		return errors.New("-feed wants -documents")
	case a.depth < 1 || a.depth > 10_000:
		return fmt.Errorf("-depth is %d: want 1 to 10000", a.depth)
	case a.each < 0:
		return fmt.Errorf("-worst is %d: want 0 or more", a.each)
	case a.tag == "" || strings.ContainsAny(a.tag, " \t\r\n"):
		return fmt.Errorf("-tag is %q: want one word", a.tag)
	}
	return nil
}

func measure(ctx context.Context, a arguments, stdout, stderr io.Writer) error {
	collection, err := open(a)
	if err != nil {
		return err
	}
	var answers relevance.Run
	if a.score != "" {
		answers, err = relevance.ReadRun(a.score)
	} else {
		answers, err = ask(ctx, a, collection, stdout, stderr)
	}
	if err != nil {
		return err
	}
	score := relevance.Measure(collection.Judgements, answers, depthOfNDCG)
	if score.Queries == 0 {
		return errors.New("nothing to measure: no query has a relevant document")
	}
	return report(stdout, collection, score, a.each)
}

func open(a arguments) (relevance.Collection, error) {
	if a.beir != "" {
		return relevance.OpenBEIR(a.beir, a.split)
	}
	return relevance.OpenTREC(a.topics, a.qrels, a.documents, strings.Split(a.fields, "+")...)
}

func ask(ctx context.Context, a arguments, c relevance.Collection, stdout, stderr io.Writer) (relevance.Run, error) {
	client, err := relevance.NewClient(a.search)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	client.Depth = a.depth
	client.Warn = func(format string, args ...any) { fmt.Fprintf(stderr, "relevance: "+format+"\n", args...) }
	if a.feed {
		written, searched, err := client.Feed(ctx, c.Documents)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(stdout, "%d documents written, %d searched\n", written, searched)
		if searched != written {
			client.Warn("the search has documents that are not of the collection; they are ranked, and counted in every score")
		}
	}
	answers, err := client.Ask(ctx, c.Queries)
	if err != nil || a.run == "" {
		return answers, err
	}
	return answers, relevance.WriteRun(a.run, a.tag, answers)
}

func report(stdout io.Writer, c relevance.Collection, score relevance.Score, worst int) error {
	out := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "nDCG@%d\t%.4f\n", depthOfNDCG, score.NDCG)
	fmt.Fprintf(out, "MAP\t%.4f\n", score.MAP)
	fmt.Fprintf(out, "queries\t%d\n", score.Queries)
	fmt.Fprintf(out, "unanswered\t%d\n", score.Unanswered)
	if err := out.Flush(); err != nil {
		return err
	}
	var judged []relevance.Query
	for _, q := range c.Queries {
		if _, measured := score.Each[q.ID]; measured {
			judged = append(judged, q)
		}
	}
	slices.SortFunc(judged, func(a, b relevance.Query) int {
		return cmp.Or(cmp.Compare(score.Each[a.ID].AP, score.Each[b.ID].AP), cmp.Compare(a.ID, b.ID))
	})
	for _, q := range judged[:min(worst, len(judged))] {
		fmt.Fprintf(out, "%s\t%.4f\t%.4f\t%s\n", q.ID, score.Each[q.ID].NDCG, score.Each[q.ID].AP, q.Text)
	}
	return out.Flush()
}
