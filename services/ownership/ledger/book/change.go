package book

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strconv"

	"github.com/flotilla-dev/flotilla/services/ownership/wire"
)

// A change is one line of the file: one of its members is set.
type change struct {
	State *snapshot   `json:"state,omitempty"`
	Fence *wire.Claim `json:"fence,omitempty"`
	Entry *wire.Entry `json:"entry,omitempty"`
}

// A snapshot is the whole state.
type snapshot struct {
	Fence    wire.Claim     `json:"fence"`
	Sequence uint64         `json:"sequence"`
	Accounts []wire.Account `json:"accounts"`
	Entries  []wire.Entry   `json:"entries"`
}

func (b *Book) snapshot() *snapshot {
	s := b.state
	accounts := make([]wire.Account, 0, len(s.Accounts))
	for _, name := range slices.Sorted(maps.Keys(s.Accounts)) {
		accounts = append(accounts, s.Accounts[name])
	}
	return &snapshot{Fence: s.Fence, Sequence: s.Sequence, Accounts: accounts, Entries: s.Entries}
}

func (b *Book) restore(s *snapshot) {
	b.state = state{Fence: s.Fence, Sequence: s.Sequence, Accounts: map[string]wire.Account{}}
	b.ids, b.base = map[string]int{}, 0
	for _, a := range s.Accounts {
		b.state.Accounts[a.Account] = a
	}
	for _, e := range s.Entries {
		b.remember(e)
	}
}

// replay applies a change that was read.
func (b *Book) replay(ch change) error {
	switch {
	case ch.State == nil && ch.Fence == nil && ch.Entry == nil:
		return fmt.Errorf("a line that changes nothing")
	case ch.Entry != nil && ch.Entry.Check() != nil:
		return ch.Entry.Check()
	}
	b.apply(ch)
	return nil
}

var table = crc32.MakeTable(crc32.Castagnoli)

func checksum(text []byte) uint32 { return crc32.Checksum(text, table) }

// format writes a line: eight hex digits of the CRC, a space, JSON, a line feed.
func format(ch change) ([]byte, error) {
	text, err := json.Marshal(ch)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%08x %s\n", checksum(text), text), nil
}

// parse reads a line without its line feed.
func parse(line []byte) (ch change, err error) {
	sum, text, found := bytes.Cut(line, []byte(" "))
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if !found || len(sum) != 8 || err != nil || uint32(want) != checksum(text) {
		return change{}, fmt.Errorf("the checksum does not fit")
	}
	if err := json.Unmarshal(text, &ch); err != nil {
		return change{}, fmt.Errorf("no change of a ledger: %w", err)
	}
	return ch, nil
}
