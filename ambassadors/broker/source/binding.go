package source

import (
	"context"
	"errors"

	"github.com/flotilla-dev/flotilla/ambassadors/broker/binding"
	"github.com/flotilla-dev/flotilla/internal/watch"
)

// Binding is a mounted service binding.
type Binding struct {
	Root  string
	Only  string   // name of the binding; "" for the first of a kind
	Kinds []string // entries type that will do
	Port  string   // where the binding has none
}

// Name is "binding".
func (Binding) Name() string { return "binding" }

// Run looks at the binding again and again.
func (b Binding) Run(ctx context.Context, report func(Report)) {
	m := &memory{report: report}
	every(ctx, watch.Interval, func() {
		name, entries, err := binding.Find(b.Root, b.Only, b.Kinds...)
		switch {
		case errors.Is(err, binding.ErrNone):
			m.gone("there is no such binding")
			return
		case err != nil:
			// In the moment of a swap too; the next look sees the new one.
			m.failed(err.Error())
			return
		}
		candidates, err := candidatesOf(name, entries, b.Port)
		if err != nil {
			m.failed(err.Error())
			return
		}
		m.found(candidates)
	})
}

// candidatesOf finds the address in a binding.
func candidatesOf(name string, entries binding.Entries, port string) ([]Candidate, error) {
	address, err := entries.Addresses(port)
	if err != nil {
		return nil, err
	}
	candidates, err := ParseList(address)
	if err != nil {
		return nil, err
	}
	candidates[0].Name = name
	return candidates, nil
}
