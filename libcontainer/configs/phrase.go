// SPDX-License-Identifier: Apache-2.0

package configs

// phrased is an error with a phrase that is not for people.
type phrased struct {
	err          error
	before, last string
}

// AddPhrase adds one of runc's phrases to an error, in brackets. On a terminal it is not shown.
func AddPhrase(err error, phrase string) error {
	return &phrased{err: err, last: " (" + phrase + ")"}
}

// PutPhrase puts one of runc's phrases before an error. On a terminal it is not shown.
func PutPhrase(phrase string, err error) error {
	return &phrased{err: err, before: phrase + ": "}
}

func (p *phrased) Error() string { return p.before + p.err.Error() + p.last }

// Unwrap returns the error without the phrase.
func (p *phrased) Unwrap() error { return p.err }

// Phrase returns what the phrase adds to the text.
func (p *phrased) Phrase() string { return p.before + p.last }
