package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/textproto"
	"strings"
	"text/tabwriter"

	"github.com/flotilla-dev/flotilla/internal/country"
	"github.com/flotilla-dev/flotilla/internal/shardkey"
	"github.com/flotilla-dev/flotilla/loadtest/placing"
)

// key prints keys of requests, and their shards.
func key(args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("shards key", flag.ContinueOnError)
	var parts shardkey.Key
	f.TextVar(&parts, "key", shardkey.Key{}, "what of a request is its key: parts joined with +")
	function := f.String("function", "nginx", "the sharding function")
	n := f.Int("shards", 10, "how many")
	countries := f.String("countries", "", "`file` of networks and their countries; networks for documentation when empty")
	r := request{fields: http.Header{}}
	f.TextVar(&r.client, "client", netip.Addr{}, "address of the client")
	f.Func("header", "a field of the request, `Name: value`", r.addField)
	if err := parse(f, args, stderr, true); err != nil {
		return err
	}
	if err := between("shards", *n, 1, maxShards); err != nil {
		return err
	}
	if f.NArg() == 0 {
		return errors.New("want at least one target, such as /index.html?t=1")
	}
	table := country.Documentation()
	if *countries != "" {
		var err error
		if table, err = country.Open(*countries); err != nil {
			return err
		}
	}
	servers := placing.Shards(*n)
	place, err := placing.New(*function, servers)
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for _, target := range f.Args() {
		if !strings.HasPrefix(target, "/") {
			return fmt.Errorf("target %q does not begin with a slash", target)
		}
		r.target = target
		text := parts.In(table).Append(nil, &r)
		fmt.Fprintf(out, "%s\t%q\t%s\n", target, text, servers[place.Order.First(place.Hash(text), nil)].Name)
	}
	return out.Flush()
}

// A request is one from the command line.
type request struct {
	target string
	fields http.Header
	client netip.Addr
}

// Target implements shardkey.Request.
func (r *request) Target() []byte { return []byte(r.target) }

// Client implements shardkey.Request.
func (r *request) Client() netip.Addr { return r.client }

// Field implements shardkey.Request.
func (r *request) Field(name string, n int) ([]byte, bool) {
	if lines := r.fields[name]; n < len(lines) {
		return []byte(lines[n]), true
	}
	return nil, false
}

func (r *request) addField(line string) error {
	name, value, found := strings.Cut(line, ":")
	if !found || name == "" {
		return fmt.Errorf("%q is no field: want Name: value", line)
	}
	r.fields.Add(textproto.CanonicalMIMEHeaderKey(name), strings.TrimSpace(value))
	return nil
}
