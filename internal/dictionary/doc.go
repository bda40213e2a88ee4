// Package dictionary is the client of the dictionary's API, for programs that look
// words up.
//
//	words, err := dictionary.Open(p, dictionary.Options{Config: cfg.Dictionary, Health: cfg.Health, …})
//	word, err := dictionary.Spell(api.Param(c, "word"))
//	entry, err := words.Entry(ctx, word)
//
// Its errors are problems that may be shown: Invalid, NotFound and Failed.
package dictionary
