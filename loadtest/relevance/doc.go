// Package relevance measures how good a ranking is, on a collection whose documents people have judged: nDCG@k and mean average
// precision, computed as trec_eval does.
//
// A collection is documents, queries, and judgements (qrels) that say which documents a query should find. It is read in the form of
// TREC – topics between <top> and </top>, or one "number:text" a line; judgements of four columns; documents between <DOC> and </DOC> – or
// in that of BEIR: corpus.jsonl, queries.jsonl, qrels/<split>.tsv. Files whose names end in .gz are compressed.
//
// A ranking is a Run. Ask makes one of a running search, ReadRun reads one from a file in the form of TREC, so that a ranking of any other
// engine is measured in the same way:
//
//	c, err := relevance.Collection{Queries: …, Judgements: …}
//	run, err := client.Ask(ctx, c.Judged())
//	score := relevance.Measure(c.Judgements, run, 10)
//
// What strangers write is bounded – bytes of a line, lines of a file – and errors name the file, the line and what would be right.
package relevance
