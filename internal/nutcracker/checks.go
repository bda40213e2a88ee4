package nutcracker

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/config"
)

// oneOf accepts one of names.
func oneOf(names []string) func(string) (string, error) {
	return func(text string) (string, error) {
		if slices.Contains(names, text) {
			return text, nil
		}
		if near := config.Nearest(text, names, 3); near != "" {
			return "", fmt.Errorf("%q is not known: did you mean %s?", text, near)
		}
		return "", fmt.Errorf("%q is not known: want one of %s", text, strings.Join(names, ", "))
	}
}

func twoCharacters(text string) (string, error) {
	if len(text) != 2 {
		return "", fmt.Errorf("%q is not valid: want two characters, such as \"{}\"", text)
	}
	return text, nil
}

func notEmpty(text string) (string, error) {
	if text == "" {
		return "", errors.New("is empty")
	}
	return text, nil
}
