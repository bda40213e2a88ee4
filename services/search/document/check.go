package document

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Check tells everything in which a document breaks a bound: which field, what is wrong, and what would be right. Its error may be shown to
// the one who wrote the document.
func Check(d Document) error {
	wrong := []string{id(d.ID), long("title", d.Title, LongestTitle), long("text", d.Text, LongestText)}
	if len(d.Labels) > MostLabels {
		wrong = append(wrong, fmt.Sprintf("labels: %d of them, at most %d", len(d.Labels), MostLabels))
	} else {
		for _, name := range slices.Sorted(maps.Keys(d.Labels)) {
			wrong = append(wrong, label(name), long("labels."+shown(name), d.Labels[name], LongestValue))
		}
	}
	wrong = slices.DeleteFunc(wrong, func(one string) bool { return one == "" })
	if len(wrong) == 0 {
		return nil
	}
	return errors.New(strings.Join(wrong, "; "))
}

func id(id string) string {
	switch {
	case id == "":
		return fmt.Sprintf("id: missing: 1 to %d letters of ASCII", LongestID)
	case len(id) > LongestID:
		return fmt.Sprintf("id: %d bytes, at most %d", len(id), LongestID)
	case strings.HasPrefix(id, Reserved):
		return fmt.Sprintf("id: begins with %q, which is reserved", Reserved)
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return fmt.Sprintf("id: byte %d is not a printable letter of ASCII, or is a space", i+1)
		}
	}
	return ""
}

// long checks a text.
func long(field, s string, most int) string {
	switch {
	case len(s) > most:
		return fmt.Sprintf("%s: %d bytes, at most %d", field, len(s), most)
	case !utf8.ValidString(s):
		return field + ": not UTF-8"
	}
	return ""
}

// label checks a name. Queries have fields that are called title and text: a label of that name could not be found.
func label(name string) string {
	if name == "title" || name == "text" {
		return fmt.Sprintf("labels.%s: this is the name of a field: call the label otherwise", name)
	}
	valid := name != "" && len(name) <= LongestName
	for i := range len(name) {
		c := name[i]
		valid = valid && ('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_')
	}
	if !valid {
		return fmt.Sprintf("labels: the name %q: a name has 1 to %d of a-z, 0-9 and _", shown(name), LongestName)
	}
	return ""
}

// shown is as much of a name as a message repeats.
func shown(name string) string {
	name = strings.ToValidUTF8(name, "\uFFFD")
	for i := range name {
		if i > LongestName {
			return name[:i] + "…"
		}
	}
	return name
}
