package shardproxy

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/watch"
	"github.com/flotilla-dev/flotilla/services/shardproxy/layout"
	"github.com/flotilla-dev/flotilla/services/shardproxy/reshard"
)

// planCommand is "shardproxy plan": it compares two files and changes nothing.
var planCommand = process.Command{
	About: "--from a.yaml --to b.yaml [--keys file] [--json]: says how many keys move from which shard to which; file has a key a line, - is the standard input",
	Run:   planFiles,
}

func planFiles(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("plan", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // what is wrong is in the error
	from := flags.String("from", "", "")
	to := flags.String("to", "", "")
	keys := flags.String("keys", "", "")
	asJSON := flags.Bool("json", false, "")
	if err := flags.Parse(args); err != nil {
		return config.Error{{Variable: "plan", Message: err.Error()}}
	}
	if *from == "" || *to == "" || flags.NArg() > 0 {
		return config.Error{{Variable: "plan", Message: "want --from a.yaml --to b.yaml, and perhaps --keys file and --json"}}
	}
	a, err := placed(*from)
	if err != nil {
		return err
	}
	b, err := placed(*to)
	if err != nil {
		return err
	}
	plan := reshard.Make(a, b, nil, 1)
	if *keys != "" {
		if plan, err = ofFile(a, b, *keys); err != nil {
			return err
		}
	}
	if *asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(plan)
	}
	return plan.Print(out)
}

func placed(file string) (*layout.Placement, error) {
	text, err := watch.Read(file)
	if err != nil {
		return nil, err
	}
	l, err := layout.Parse(text, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return l.Place()
}

// maxKey bounds a line of a file of keys; there may be any number of them.
const maxKey = 64 << 10

func ofFile(a, b *layout.Placement, file string) (*reshard.Plan, error) {
	in := os.Stdin
	if file != "-" {
		var err error
		if in, err = os.Open(file); err != nil {
			return nil, err
		}
		defer in.Close()
	}
	plan, err := reshard.OfKeys(a, b, func(add func([]byte)) error { return eachKey(in, add) })
	if err != nil {
		return nil, fmt.Errorf("keys of %s: %w", file, err)
	}
	return plan, nil
}

// eachKey gives the key of each line that is not empty.
func eachKey(in io.Reader, add func(key []byte)) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 4<<10), maxKey)
	n := 0
	for lines.Scan() {
		if n++; len(lines.Bytes()) > 0 {
			add(lines.Bytes())
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("line %d is longer than %d bytes", n+1, maxKey)
	}
	return lines.Err()
}
