package experiments

import (
	"bufio"
	"bytes"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"slices"
)

// mixedLines writes log lines of many formats. Each line but "Traceback …" has a token,
// #0000001 and so on, that occurs nowhere else: by it every line is found again.
type mixedLines struct {
	random *rand.Rand
	next   int
	known  []bool // by token: a format knows the line
}

func newMixed() *mixedLines { return &mixedLines{random: rand.New(rand.NewPCG(1, 2))} }

func (m *mixedLines) token(known bool) string {
	m.known = append(m.known, known)
	m.next++
	return fmt.Sprintf("#%07d", m.next-1)
}

// append appends a record, of one line or several.
func (m *mixedLines) append(b []byte) []byte {
	t := func() string { return m.token(true) }
	switch n := m.random.IntN(100); {
	case n < 14:
		return fmt.Appendf(b, "I0305 10:11:12.%06d   12345 server.go:42] handled request %s in 12ms\n", m.next%1_000_000, t())
	case n < 20:
		return fmt.Appendf(b, "W0305 10:11:13.123456       1 kubelet.go:7] \"Pod status\" pod=\"ns/a\" id=%q\n", t())
	case n < 34:
		return fmt.Appendf(b, "2024-03-05 10:11:12,%03d [http-nio-8080-exec-1] INFO  com.example.shop.OrderService - order %s accepted\n", m.next%1000, t())
	case n < 36:
		return fmt.Appendf(b, "2024-03-05 10:11:12,123 [main] ERROR com.example.Main - failed %s\njava.lang.IllegalStateException: no state %s\n\tat com.example.Main.run(Main.java:42) %s\nCaused by: java.io.IOException: disk %s\n",
			t(), t(), t(), t())
	case n < 37:
		return fmt.Appendf(b, "ERROR:root:failed %s\nTraceback (most recent call last):\n  File \"a.py\", line 1, in <module> %s\nKeyError: %s\n", t(), t(), t())
	case n < 54:
		return fmt.Appendf(b, "192.0.2.%d - - [05/Mar/2024:10:11:12 +0100] \"GET /dog?%s HTTP/1.1\" 200 512 \"https://example.com/\" \"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\"\n", m.next%255, t())
	case n < 64:
		return fmt.Appendf(b, "{\"time\":\"2024-03-05T10:11:12.5Z\",\"level\":\"INFO\",\"msg\":\"request %s\",\"method\":\"GET\",\"path\":\"/dog\",\"status\":200,\"ms\":1.5}\n", t())
	case n < 74:
		return fmt.Appendf(b, "time=2024-03-05T10:11:12Z level=info msg=\"served %s\" method=GET path=/dog status=200\n", t())
	case n < 84:
		return fmt.Appendf(b, "<34>Mar  5 10:11:12 host sshd[42]: Accepted publickey for ann %s\n", t())
	case n < 90:
		return fmt.Appendf(b, "<165>1 2024-03-05T10:11:12.003Z host app 7 ID47 [x@1 k=\"v\"] event %s\n", t())
	case n < 93:
		return fmt.Appendf(b, "Mar 05, 2024 10:11:12 AM com.example.Main run%s\nINFO: message %s\n", t(), t())
	case n < 98:
		return fmt.Appendf(b, "just a plain sentence %s\n", m.token(false))
	}
	return fmt.Appendf(b, "\x01\x00\xff garbage %s \xfe\n", m.token(false))
}

// lineTally is what became of lines.
type lineTally struct {
	records  int
	repeated int // records with the identity of an earlier one
	torn     int // lines of the output that a kill has cut off
	times    []int
	marked   []bool // unparsed
}

// account reads an output and finds the tokens again.
func account(path string, tokens int) (*lineTally, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("account: %w", err)
	}
	defer f.Close()
	t := &lineTally{times: make([]int, tokens), marked: make([]bool, tokens)}
	seen := map[uint64]bool{}
	in := bufio.NewReaderSize(f, 1<<20)
	for {
		line, err := in.ReadSlice('\n')
		if err == io.EOF {
			return t, nil
		}
		if err != nil {
			return nil, fmt.Errorf("account: %w", err)
		}
		if bytes.HasPrefix(line, []byte(`{"Timestamp"`)) || bytes.HasPrefix(line, []byte(`{"ObservedTimestamp"`)) {
			t.line(line, seen)
		}
	}
}

func (t *lineTally) line(line []byte, seen map[uint64]bool) {
	_, rest, _ := bytes.Cut(line, []byte(`"log.record.uid":"`))
	uid, _, found := bytes.Cut(rest, []byte{'"'})
	if !found || !bytes.HasSuffix(line, []byte("}}\n")) {
		t.torn++
		return
	}
	t.records++
	h := fnv.New64a()
	h.Write(uid)
	id := h.Sum64()
	if seen[id] {
		t.repeated++
		return
	}
	seen[id] = true
	unparsed := bytes.Contains(line, []byte(`"unparsed":`))
	var here []int // a request is in the body and in attributes
	for {
		at := bytes.IndexByte(line, '#')
		if at < 0 || len(line) < at+8 {
			return
		}
		n, ok := 0, true
		for _, c := range line[at+1 : at+8] {
			ok = ok && c >= '0' && c <= '9'
			n = n*10 + int(c-'0')
		}
		if line = line[at+1:]; ok && n < len(t.times) && !slices.Contains(here, n) {
			here = append(here, n)
			t.times[n]++
			t.marked[n] = unparsed
		}
	}
}

// verdict counts lines that are missing, there more than once, and marked wrongly.
func (t *lineTally) verdict(known []bool) (missing, double, wrong int) {
	for i, n := range t.times {
		switch {
		case n == 0:
			missing++
		case n > 1:
			double++
		case t.marked[i] == known[i]:
			wrong++
		}
	}
	return missing, double, wrong
}

// lines counts the lines of a file.
func (m *mixedLines) lines(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	return bytes.Count(text, []byte{'\n'})
}
