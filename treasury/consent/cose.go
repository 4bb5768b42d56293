package consent

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
)

// Of COSE (RFC 9053, RFC 8230): members of a key, and what they may say here.
const (
	coseType, coseAlgorithm           = 1, 3
	coseCurve, coseX, coseY           = -1, -2, -3
	coseModulus, coseExponent         = -1, -2
	typeOctet, typeCurve, typeRSA     = 1, 2, 3
	algES256, algEdDSA, algRS256      = -7, -8, -257
	curveP256, curveEd25519           = 1, 6
	coordinate                        = 32
	minModulus, maxModulus, exponent3 = 256, 512, 65537
)

var errCOSE = errors.New("it is no COSE key of ES256, EdDSA or RS256")

// passkey is the public key of an authenticator.
type passkey interface {
	// verify reports whether signature is the key's over message.
	verify(message, signature []byte) bool
	// material is the same for the same key, however it was written.
	material() []byte
}

type (
	es256 struct{ key *ecdsa.PublicKey }
	eddsa struct{ key ed25519.PublicKey }
	rs256 struct{ key *rsa.PublicKey }
)

func (k es256) verify(message, signature []byte) bool {
	sum := sha256.Sum256(message)
	return ecdsa.VerifyASN1(k.key, sum[:], signature)
}

func (k eddsa) verify(message, signature []byte) bool {
	return ed25519.Verify(k.key, message, signature)
}

func (k rs256) verify(message, signature []byte) bool {
	sum := sha256.Sum256(message)
	return rsa.VerifyPKCS1v15(k.key, crypto.SHA256, sum[:], signature) == nil
}

func (k es256) material() []byte {
	point, err := k.key.Bytes()
	if err != nil { // it was parsed from a point
		return nil
	}
	return point
}
func (k eddsa) material() []byte { return k.key }
func (k rs256) material() []byte { return k.key.N.Bytes() }

// parseCOSE reads the key of an authenticator: the members that its algorithm has, each
// once, and none besides.
func parseCOSE(raw []byte) (passkey, error) {
	members, err := coseMembers(raw)
	if err != nil {
		return nil, err
	}
	switch [2]int64{members[coseType].number, members[coseAlgorithm].number} {
	case [2]int64{typeCurve, algES256}:
		return parseES256(members)
	case [2]int64{typeOctet, algEdDSA}:
		x := members[coseX].text
		if len(members) != 4 || members[coseCurve].number != curveEd25519 || len(x) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("%w: EdDSA has curve 6 and 32 bytes of x", errCOSE)
		}
		return eddsa{ed25519.PublicKey(x)}, nil
	case [2]int64{typeRSA, algRS256}:
		return parseRS256(members)
	}
	return nil, fmt.Errorf("%w: type %d, algorithm %d", errCOSE, members[coseType].number, members[coseAlgorithm].number)
}

func parseES256(members map[int64]coseMember) (passkey, error) {
	x, y := members[coseX].text, members[coseY].text
	if len(members) != 5 || members[coseCurve].number != curveP256 || len(x) != coordinate || len(y) != coordinate {
		return nil, fmt.Errorf("%w: ES256 has curve 1 and 32 bytes each of x and y", errCOSE)
	}
	point := append(append([]byte{4}, x...), y...)
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errCOSE, err)
	}
	return es256{key}, nil
}

func parseRS256(members map[int64]coseMember) (passkey, error) {
	n, e := members[coseModulus].text, members[coseExponent].text
	if len(members) != 4 || len(n) < minModulus || len(n) > maxModulus || n[0] == 0 || n[len(n)-1]&1 == 0 {
		return nil, fmt.Errorf("%w: the modulus of RS256 has %d bytes, 2048 to 4096 bits are read", errCOSE, len(n))
	}
	if new(big.Int).SetBytes(e).Cmp(big.NewInt(exponent3)) != 0 || e[0] == 0 {
		return nil, fmt.Errorf("%w: the exponent of RS256 is %x, only 010001 is read", errCOSE, e)
	}
	return rs256{&rsa.PublicKey{N: new(big.Int).SetBytes(n), E: exponent3}}, nil
}

// coseMember is a number, or bytes.
type coseMember struct {
	number int64
	text   []byte
}

// coseMembers reads one CBOR map from numbers to numbers and bytes, to its end.
func coseMembers(raw []byte) (map[int64]coseMember, error) {
	r := cborReader{raw}
	major, count, err := r.head()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errCOSE, err)
	}
	if major != cborMap || count > 8 {
		return nil, fmt.Errorf("%w: it is no small map", errCOSE)
	}
	members := make(map[int64]coseMember, count)
	for range count {
		name, err := r.integer()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errCOSE, err)
		}
		if _, twice := members[name]; twice {
			return nil, fmt.Errorf("%w: member %d is there twice", errCOSE, name)
		}
		var m coseMember
		if r.next() == cborBytes {
			m.text, err = r.bytes()
		} else {
			m.number, err = r.integer()
		}
		if err != nil {
			return nil, fmt.Errorf("%w: member %d: %w", errCOSE, name, err)
		}
		members[name] = m
	}
	if len(r.rest) != 0 {
		return nil, fmt.Errorf("%w: %d bytes follow it", errCOSE, len(r.rest))
	}
	return members, nil
}
