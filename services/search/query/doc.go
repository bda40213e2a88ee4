// Package query is the language in which documents are searched.
//
//	dog                   a word, in title or text, as any of its forms: dogs, dog's
//	"hot dog"             words that follow each other; \" and \\ stand for themselves
//	hous*                 words that begin like this, at least 2 letters
//	recieve~ recieve~1    words written nearly like this: up to 2 edits from 6 letters on, 1 from 3 on, or as many as are given
//	title:dog text:(a b)  a field: title or text
//	pos:noun              documents with a label: any other name of a-z, 0-9 and _; its value may stand in quotes
//	*                     all documents
//	a AND b, a OR b       in capitals
//	NOT a, -a             documents without
//	a b                   both wanted: either will do, or, with Options.Operator And, both must be there
//	(a b)                 parentheses
//
// NOT binds before AND, AND before words side by side, and these before OR. What stands side by side with words and has none of its own – a
// label, something that is not wanted – is a condition for all of them, whatever the operator: “dog cat pos:noun -wild” is
// (dog OR cat) AND pos:noun AND NOT wild. Who wants a label as an alternative writes OR.
//
// Words that are too common to be indexed are left out; in a phrase any word may stand in their place. A word of which analysis makes
// several, as e-mail, is a phrase of these.
package query
