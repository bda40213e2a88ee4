package relevance

// The parsers, for fuzzing without files.
var (
	ParseJudgements    = parseJudgements
	ParseTSV           = parseTSV
	ParseQueries       = parseQueries
	ParseTopics        = parseTopics
	ParseRun           = parseRun
	ParseDocuments     = parseDocuments
	ParseTRECDocuments = parseTRECDocuments
)
