package gitserver

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
)

const someHash = "0123456789abcdef0123456789abcdef01234567"

// Whatever is sent as a request for objects: it is bounded, and never a panic.
func FuzzDemand(f *testing.F) {
	f.Add([]byte("0032want " + someHash + "\n00000009done\n"))
	f.Add([]byte("0032want " + someHash + "\n0035shallow " + someHash + "000cdeepen 1" + "0000" + "0032have " + someHash + "\n0000"))
	f.Add([]byte("0032want " + someHash + "\n000ddeepen -10000"))
	f.Add([]byte("00000000"))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := parseDemand(bytes.NewReader(body))
		if err == nil && (len(d.wants) == 0 || d.depth < 0 || len(d.wants)+len(d.haves)+len(d.shallow) > len(body)/40) {
			t.Errorf("%+v out of %d bytes", d, len(body))
		}
	})
}

// Commands of a push come from who has the token, but they are read before a pack is.
func FuzzCommands(f *testing.F) {
	line := strings.Repeat("0", 40) + " " + someHash + " refs/heads/main\x00 report-status"
	f.Add([]byte("0079" + line + "0000PACK"))
	f.Add([]byte("0000"))
	f.Fuzz(func(t *testing.T, body []byte) {
		req := packp.NewReferenceUpdateRequest()
		if err := req.Decode(bytes.NewReader(body)); err == nil && (len(req.Commands) == 0 || len(req.Commands) > len(body)/80) {
			t.Errorf("%d commands out of %d bytes", len(req.Commands), len(body))
		}
	})
}
