package index

import (
	"context"
	"strings"

	"github.com/flotilla-dev/flotilla/services/search/query"
	"github.com/flotilla-dev/flotilla/services/search/text"
)

// candidate is a surface form to which a prefix or a fuzzy word leads, whether a document has it or not.
type candidate struct {
	form  *form
	edits int
}

// candidates are those of all nodes that lead to some, found without the lock.
func (v *View) candidates(ctx context.Context, scoring []*query.Node) ([][]candidate, error) {
	all := make([][]candidate, len(scoring))
	known, err := v.known()
	if err != nil {
		return nil, err
	}
	for i, node := range scoring {
		switch node.Kind {
		case query.Prefix:
			all[i] = beginning(known, node.Words[0])
		case query.Fuzzy:
			all[i] = near(ctx, known, node.Words[0], node.Edits)
		}
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
	}
	return all, nil
}

// known are the surface forms of the epoch, and maybe more.
func (v *View) known() (*forms, error) {
	if err := v.lock(); err != nil {
		return nil, err
	}
	defer v.unlock()
	return v.index.published, nil
}

func beginning(known *forms, prefix string) []candidate {
	var found []candidate
	known.Ascend(prefix, func(word string, f sketched) bool {
		if !strings.HasPrefix(word, prefix) {
			return false
		}
		found = append(found, candidate{form: f.form})
		return true
	})
	return found
}

// near finds the forms within some edits of a word. It ends early with the context.
func near(ctx context.Context, known *forms, word string, most int) []candidate {
	var found []candidate
	looked, sought := 0, sketchOf(word)
	known.Scan(func(written string, f sketched) bool {
		if !sought.far(f.sketch, most) {
			if edits, is := text.Edits(word, written, most); is {
				found = append(found, candidate{form: f.form, edits: edits})
			}
		}
		looked++
		return looked%1024 != 0 || ctx.Err() == nil
	})
	return found
}
