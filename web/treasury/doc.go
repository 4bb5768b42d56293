// Package treasurypages serves what treasury staff see and do in a browser below /treasury:
// requests that wait for consent, vaults and what moves between them, the address book,
// policies, people, and the freeze. People log in by passkey and sign each word with it,
// over what their own browser made out of the text in front of them. The pages hold no key
// and decide nothing: whether a word counts is decided behind treasury.Requests, and again
// by the signer.
package treasurypages
