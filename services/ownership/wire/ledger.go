package wire

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/flotilla-dev/flotilla/services/ownership/lease"
)

// Bounds of what a ledger keeps.
const (
	MaxAmount  = 1_000_000_000_000     // of one entry, either way
	MaxBalance = 9_000_000_000_000_000 // below 2^53: JSON numbers are exact in every language
	MaxShards  = 1024
)

// name is what an account and an entry are called.
var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$`)

// CheckName tells what is wrong with the name of an account or the id of an entry.
func CheckName(what, text string) error {
	if !name.MatchString(text) {
		return fmt.Errorf("%s: want 1 to 64 letters, digits and . _ : -, the first a letter or a digit", what)
	}
	return nil
}

// An Order is an entry as the owner of the shard wants it to be recorded. Balance,
// Version and Sequence are what it computed: the worker decides nothing.
type Order struct {
	ID       string `json:"id"` // the client's: the same one is the same entry
	Account  string `json:"account"`
	Amount   int64  `json:"amount"`
	Balance  int64  `json:"balance"`  // of the account, after the entry
	Version  uint64 `json:"version"`  // of the account, after the entry: its number of entries
	Sequence uint64 `json:"sequence"` // of the entry in its shard, from 1
}

// Check tells what is wrong with an order.
func (o Order) Check() error {
	return errors.Join(
		CheckName("id", o.ID), CheckName("account", o.Account), CheckAmount(o.Amount),
		check(o.Balance >= 0 && o.Balance <= MaxBalance, "balance: want 0 to %d", int64(MaxBalance)),
		check(o.Version > 0 && o.Sequence > 0, "version and sequence: want more than 0"),
	)
}

// CheckAmount tells what is wrong with an amount.
func CheckAmount(amount int64) error {
	return check(amount != 0 && amount >= -MaxAmount && amount <= MaxAmount, "amount: want -%d to %d, and not 0", int64(MaxAmount), int64(MaxAmount))
}

func check(right bool, format string, args ...any) error {
	if right {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// An Entry is an order that was recorded.
type Entry struct {
	Order
	Owner string      `json:"owner"`
	Token lease.Token `json:"token"`
	At    time.Time   `json:"at"`
}

// An Account is what an account has after all its entries.
type Account struct {
	Account string `json:"account"`
	Balance int64  `json:"balance"`
	Version uint64 `json:"version"` // number of its entries; 0: it has none
}

// A Shard is where a shard of the ledger stands.
type Shard struct {
	Shard    int         `json:"shard"`
	Sequence uint64      `json:"sequence"` // of the newest entry
	Token    lease.Token `json:"token"`    // the largest that was seen
	Owner    string      `json:"owner"`    // whose it is
	Accounts int         `json:"accounts"`
}

// LeaseName is the name under which the owner of a shard is elected.
func LeaseName(shard int) string { return fmt.Sprintf("shard-%d", shard) }
