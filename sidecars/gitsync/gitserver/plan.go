package gitserver

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/storer"

	"github.com/flotilla-dev/flotilla/sidecars/gitsync/object"
)

// errUnknown is the error of a want that no reference leads to.
var errUnknown = errors.New("wants an object that is not given out")

// packPlan is what goes into a pack.
type packPlan struct {
	objects []plumbing.Hash
	common  []plumbing.Hash     // of the client's haves, those that are here too
	ends    packp.ShallowUpdate // where the client's history ends from now on
}

// planner collects objects that the client needs. Commits that it has, back to where
// its history ends, and the trees of those that it named are left out.
type planner struct {
	ctx     context.Context
	objects storer.EncodedObjectStorer
	seen    map[plumbing.Hash]bool // need not be looked at, or sent, again
	plan    packPlan
}

func plan(ctx context.Context, repository interface {
	storer.EncodedObjectStorer
	storer.ReferenceStorer
}, d demand) (packPlan, error) {
	p := &planner{ctx: ctx, objects: repository, seen: map[plumbing.Hash]bool{}}
	if err := p.permit(repository, d.wants); err != nil {
		return p.plan, err
	}
	theirs, err := p.has(d)
	if err != nil {
		return p.plan, err
	}
	return p.plan, p.wants(d, theirs)
}

// permit refuses what no reference leads to: what was overwritten by force is not
// public any more.
func (p *planner) permit(references storer.ReferenceStorer, wants []plumbing.Hash) error {
	missing := map[plumbing.Hash]bool{}
	for _, h := range wants {
		missing[h] = true
	}
	var tips []plumbing.Hash
	all, err := references.IterReferences()
	if err != nil {
		return err
	}
	err = all.ForEach(func(r *plumbing.Reference) error {
		if r.Type() == plumbing.HashReference {
			delete(missing, r.Hash())
			tips = append(tips, r.Hash())
		}
		return nil
	})
	if err != nil || len(missing) == 0 {
		return err
	}
	err = p.walk(tips, nil, func(h plumbing.Hash, _ object.Commit) bool { delete(missing, h); return len(missing) > 0 })
	if err == nil && len(missing) > 0 {
		err = errUnknown
	}
	return err
}

// has finds which commits the client has, and notes the objects of those it named.
func (p *planner) has(d demand) (map[plumbing.Hash]bool, error) {
	for _, h := range d.haves {
		if p.objects.HasEncodedObject(h) == nil {
			p.plan.common = append(p.plan.common, h)
		}
	}
	ends := set(d.shallow)
	theirs := map[plumbing.Hash]bool{}
	var trees []plumbing.Hash
	named := set(p.plan.common)
	err := p.walk(p.plan.common, ends, func(h plumbing.Hash, c object.Commit) bool {
		theirs[h] = true
		if named[h] {
			trees = append(trees, c.Tree)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	for _, t := range trees {
		if err := p.tree(t); err != nil {
			return nil, err
		}
	}
	p.plan.objects = nil // these are not sent; they only count as seen
	return theirs, nil
}

// wants collects what is sent: commits down to the depth, with their trees.
func (p *planner) wants(d demand, theirs map[plumbing.Hash]bool) error {
	level, visited, ends := d.wants, map[plumbing.Hash]bool{}, set(d.shallow)
	for depth := 1; len(level) > 0; depth++ {
		var next []plumbing.Hash
		for _, h := range level {
			commit, kind, err := p.tags(h)
			if err != nil {
				return err
			}
			if visited[commit] || theirs[commit] && d.depth == 0 {
				continue
			}
			visited[commit] = true
			if kind != plumbing.CommitObject {
				if err := p.other(commit, kind); err != nil {
					return err
				}
				continue
			}
			parents, err := p.commit(commit, theirs[commit])
			if err != nil {
				return err
			}
			switch last := d.depth > 0 && depth == d.depth && len(parents) > 0; {
			case last && !ends[commit]:
				p.plan.ends.Shallows = append(p.plan.ends.Shallows, commit)
			case last:
			default:
				if ends[commit] && d.depth > 0 {
					p.plan.ends.Unshallows = append(p.plan.ends.Unshallows, commit)
				}
				next = append(next, parents...)
			}
		}
		level = next
	}
	return nil
}

// tags sends the tags that lead from h to something else, which it returns.
func (p *planner) tags(h plumbing.Hash) (plumbing.Hash, plumbing.ObjectType, error) {
	for range 8 {
		o, err := p.objects.EncodedObject(plumbing.AnyObject, h)
		if err != nil {
			return h, plumbing.InvalidObject, fmt.Errorf("read %s: %w", h, err)
		}
		if o.Type() != plumbing.TagObject {
			return h, o.Type(), nil
		}
		p.take(h)
		text, err := object.Read(p.objects, plumbing.TagObject, h)
		if err != nil {
			return h, plumbing.InvalidObject, err
		}
		if h, err = object.ParseTag(text); err != nil {
			return h, plumbing.InvalidObject, err
		}
	}
	return h, plumbing.InvalidObject, object.ErrMalformed
}

// other sends what a tag leads to that is no commit.
func (p *planner) other(h plumbing.Hash, kind plumbing.ObjectType) error {
	if kind == plumbing.TreeObject {
		return p.tree(h)
	}
	p.take(h)
	return nil
}

// commit sends a commit with its tree, unless the client has it, and returns its
// parents.
func (p *planner) commit(h plumbing.Hash, known bool) ([]plumbing.Hash, error) {
	if err := p.ctx.Err(); err != nil {
		return nil, err
	}
	c, err := object.ReadCommit(p.objects, h)
	if err != nil {
		return nil, fmt.Errorf("read commit %s: %w", h, err)
	}
	if known {
		return c.Parents, nil
	}
	p.take(h)
	return c.Parents, p.tree(c.Tree)
}

func (p *planner) tree(top plumbing.Hash) error {
	rest := []plumbing.Hash{top}
	for len(rest) > 0 {
		h := rest[len(rest)-1]
		rest = rest[:len(rest)-1]
		if !p.take(h) {
			continue
		}
		entries, err := object.ReadTree(p.objects, h)
		if err != nil {
			return fmt.Errorf("read tree %s: %w", h, err)
		}
		for _, e := range entries {
			switch e.Mode {
			case filemode.Dir:
				rest = append(rest, e.Hash)
			case filemode.Submodule: // is in another repository
			default:
				p.take(e.Hash)
			}
		}
	}
	return p.ctx.Err()
}

// take sends an object once.
func (p *planner) take(h plumbing.Hash) bool {
	if p.seen[h] {
		return false
	}
	p.seen[h] = true
	p.plan.objects = append(p.plan.objects, h)
	return true
}

// walk visits commits back to ends, until visit says that it is enough. What is no
// commit is passed by.
func (p *planner) walk(from []plumbing.Hash, ends map[plumbing.Hash]bool, visit func(plumbing.Hash, object.Commit) bool) error {
	rest, visited := append([]plumbing.Hash(nil), from...), map[plumbing.Hash]bool{}
	for len(rest) > 0 {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		h, kind, err := object.Peel(p.objects, rest[len(rest)-1])
		rest = rest[:len(rest)-1]
		if err != nil {
			return err
		}
		if kind != plumbing.CommitObject || visited[h] {
			continue
		}
		visited[h] = true
		c, err := object.ReadCommit(p.objects, h)
		if err != nil {
			return err
		}
		if !visit(h, c) {
			return nil
		}
		if !ends[h] {
			rest = append(rest, c.Parents...)
		}
	}
	return nil
}

func set(hashes []plumbing.Hash) map[plumbing.Hash]bool {
	s := make(map[plumbing.Hash]bool, len(hashes))
	for _, h := range hashes {
		s[h] = true
	}
	return s
}
