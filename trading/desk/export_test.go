package desk

// What tests look at by itself.
var (
	Convert = convert
	Refused = refused
)
