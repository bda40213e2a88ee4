package reshard

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Print writes the plan for people.
func (p *Plan) Print(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "from  %s\nto    %s\n", p.From, p.To)
	for _, note := range p.Notes {
		fmt.Fprintf(&b, "  - %s\n", note)
	}
	p.Synthetic.print(&b, "synthetic keys")
	if p.Given != nil {
		p.Given.print(&b, "given keys")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func (s Side) String() string {
	text := fmt.Sprintf("%d shards by %s of %s", s.Shards, s.Function, s.Key)
	if s.Draining > 0 {
		text += fmt.Sprintf(", %d draining", s.Draining)
	}
	if s.Bounded > 0 {
		text += fmt.Sprintf(", loads bounded by %g", s.Bounded)
	}
	return text
}

func (c *Count) print(b *strings.Builder, what string) {
	fmt.Fprintf(b, "\n%d %s: %d move (%.1f %%), %d of them needlessly\n", c.Keys, what, c.Moved, 100*c.MovedShare, c.Needless)
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, m := range c.Moves {
		fmt.Fprintf(table, "%d\t %s → %s\t\n", m.Keys, m.From, m.To)
	}
	_ = table.Flush() // a strings.Builder takes everything
	for _, s := range c.Shares {
		fmt.Fprintf(b, "  share of %s: %.1f %% → %.1f %%\n", s.Shard, 100*s.Before, 100*s.After)
	}
}
