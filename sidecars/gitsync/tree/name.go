package tree

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// The bounds of names. The longest path leaves room for the directory above it.
const (
	maxName  = 255
	maxPath  = 2048
	maxDepth = 64
)

// A Refusal is why a tree is not written. Its text may be shown.
type Refusal struct{ Reason string }

func (r *Refusal) Error() string { return r.Reason }

func refuse(format string, args ...any) *Refusal { return &Refusal{fmt.Sprintf(format, args...)} }

// CheckPath returns an error for a path that no tree may contain.
func CheckPath(p string) error {
	if len(p) > maxPath {
		return fmt.Errorf("the path has more than %d bytes", maxPath)
	}
	names := strings.Split(p, "/")
	if len(names) > maxDepth {
		return fmt.Errorf("the path has more than %d folders", maxDepth)
	}
	for _, name := range names {
		if err := checkName(name); err != nil {
			return err
		}
	}
	return nil
}

// checkName returns an error for a name that is no plain one, or is that of git's
// own directory, also as file systems that ignore case or shorten names see it.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("an empty name")
	case name == "." || name == "..":
		return fmt.Errorf("the name %s", name)
	case len(name) > maxName:
		return fmt.Errorf("a name of more than %d bytes", maxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, isControl):
		return errors.New("a name with control characters, or not in UTF-8")
	case strings.ContainsAny(name, `/\`):
		return errors.New("a name with a separator in it")
	case isGit(name):
		return errors.New("the name of git's own directory")
	}
	return nil
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

func isGit(name string) bool {
	plain := strings.Map(func(r rune) rune {
		if ignored(r) {
			return -1
		}
		return r
	}, name)
	plain = strings.ToLower(strings.TrimRight(plain, ". "))
	stream, _, _ := strings.Cut(plain, ":")
	return stream == ".git" || stream == "git~1"
}

// ignored are the characters that HFS+ leaves out when it compares names.
func ignored(r rune) bool {
	return r >= 0x200c && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x206a && r <= 0x206f || r == 0xfeff
}

// checkTarget returns an error for a link that leads out of the tree by its text.
// Links that pass other links are looked at again once all of them are there.
func checkTarget(link, target string) error {
	if target == "" || strings.ContainsRune(target, 0) {
		return errors.New("leads nowhere")
	}
	if path.IsAbs(target) {
		return errors.New("has an absolute target")
	}
	to := path.Join(path.Dir(link), target)
	if to == ".." || strings.HasPrefix(to, "../") {
		return errors.New("leads out of the tree")
	}
	for _, name := range strings.Split(to, "/") {
		if isGit(name) {
			return errors.New("leads into git's own directory")
		}
	}
	return nil
}
