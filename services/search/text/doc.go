// Package text turns text into words as Lucene's EnglishAnalyzer does, so that relevance can be compared with what is published of it.
//
// Words are those of Unicode's standard annex 29; they are lower-cased, lose an English possessive, and are dropped when they are among
// Lucene's 33 stop words; a dropped word keeps its position, so that phrases do not match across it by mistake. What is left is stemmed by
// Porter's algorithm with the two departures of its author's own program, which is what Lucene has.
//
// It differs in three things: what is not ASCII is composed (NFC), so that an é is found however it was typed; a possessive is taken off
// until there is none, so that a surface form is its own surface form; and scripts without spaces are taken a character at a time where
// the annex says so, without Lucene's special rules for South-East Asia.
package text
