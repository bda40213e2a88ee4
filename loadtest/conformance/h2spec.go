// Package conformance asks h2spec, the conformance test of HTTP/2, about a server.
// Its version is that of loadtest/go.mod. The test of this package holds the edge
// against a bare net/http server of the same Go, and its README against both:
//
//	make h2spec
package conformance

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A Case is one case of h2spec.
type Case struct {
	ID    string // "http2/6.5.3.1": suite, section, number within the section
	Title string
}

// Result is what h2spec found.
type Result struct {
	Cases   int // that were tried
	Skipped int
	Failed  []Case
}

// Passed is how many cases passed.
func (r Result) Passed() int { return r.Cases - r.Skipped - len(r.Failed) }

// limit bounds all cases together; they take about 15 s.
const limit = 2 * time.Minute

// H2spec tries all cases on a path of the TLS server at addr. The directory gets the
// report.
func H2spec(ctx context.Context, dir, addr, path string) (Result, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return Result{}, fmt.Errorf("h2spec: %w", err)
	}
	file := filepath.Join(dir, "h2spec-"+port+".xml")
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "tool", "h2spec", "-t", "-k", "-h", host, "-p", port, "-P", path, "-j", file)
	cmd.WaitDelay = time.Second
	out, failed := cmd.CombinedOutput() // its status says that a case failed, which the report says better
	text, err := os.ReadFile(file)
	if err != nil {
		return Result{}, fmt.Errorf("h2spec wrote no report: %w\n%s", failed, tail(out))
	}
	return parse(text)
}

func tail(out []byte) []byte { return bytes.TrimSpace(out[max(0, len(out)-2000):]) }

// report is the part of a JUnit report that matters. A section is a suite.
type report struct {
	Sections []struct {
		Package string `xml:"package,attr"`
		Cases   []struct {
			Title   string    `xml:"classname,attr"`
			Failure *struct{} `xml:"failure"`
			Error   *struct{} `xml:"error"`
			Skipped *struct{} `xml:"skipped"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

func parse(text []byte) (Result, error) {
	var r report
	if err := xml.Unmarshal(text, &r); err != nil {
		return Result{}, fmt.Errorf("h2spec's report: %w", err)
	}
	var result Result
	for _, section := range r.Sections {
		for i, c := range section.Cases {
			result.Cases++
			switch {
			case c.Skipped != nil:
				result.Skipped++
			case c.Failure != nil || c.Error != nil:
				result.Failed = append(result.Failed, Case{fmt.Sprintf("%s.%d", section.Package, i+1), strings.TrimSpace(c.Title)})
			}
		}
	}
	if result.Cases == 0 {
		return Result{}, fmt.Errorf("h2spec's report has no cases")
	}
	return result, nil
}
