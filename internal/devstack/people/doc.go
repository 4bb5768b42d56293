// Package people founds a treasury for a development stack: three people with passkeys,
// keys for the command line and keys of cold vaults, three officers, a first roster and
// policy, and vaults. Production's officers draw their keys offline; here all lie in one
// folder, and protect nothing.
package people
