package mtls

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// Lifetimes of what EnsureDev issues. An authority outlives each leaf it signs.
const (
	leafLife        = 90 * 24 * time.Hour
	leafRenew       = 30 * 24 * time.Hour
	authorityLife   = 5 * 365 * 24 * time.Hour
	authorityRenew  = 180 * 24 * time.Hour
	backdate        = 5 * time.Minute // clocks of one machine's processes may differ a little
	serialBits      = 127
	certificateMode = 0o600
)

var (
	errPEM  = errors.New("no certificate or key in the file")
	errName = errors.New("name is not a process name")
)

// Issuer keeps a folder of development certificates up to date.
type Issuer struct {
	// Clock tells the time; certificates are valid from then on.
	Clock func() time.Time
}

// EnsureDev makes sure that dir holds a certificate authority and a valid leaf
// for each name, by the system's clock. See Issuer.Ensure.
func EnsureDev(dir string, names ...string) error {
	return Issuer{Clock: time.Now}.Ensure(dir, names...) //nolint:forbidigo // the one place that binds the real clock
}

// Ensure creates what is missing in dir, renews leaves with less than 30 days
// left, and replaces whatever the present authority did not sign. Files are
// readable by their owner only. The authority's key lies beside the leaves: fit
// for one machine in development, not for production.
func (i Issuer) Ensure(dir string, names ...string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create certificate folder: %w", err)
	}
	ca, err := i.authority(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`).MatchString(name) || name == "ca" {
			return fmt.Errorf("issue certificate for %.40q: %w", name, errName)
		}
		if i.current(dir, name, ca.cert) {
			continue
		}
		if err := i.issueLeaf(dir, name, ca); err != nil {
			return err
		}
	}
	return nil
}

// issuer is a certificate with the key that signs others.
type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func (i Issuer) authority(dir string) (issuer, error) {
	certFile, keyFile := filepath.Join(dir, authorityFile), filepath.Join(dir, authorityKeyFile)
	have, err := readIssuer(certFile, keyFile)
	if err == nil && i.Clock().Add(authorityRenew).Before(have.cert.NotAfter) {
		return have, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return issuer{}, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "strongroom development authority"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	return i.create(template, issuer{}, authorityLife, certFile, keyFile)
}

func (i Issuer) issueLeaf(dir, name string, ca issuer) error {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{name, "localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	_, err := i.create(template, ca, leafLife, leafFile(dir, name), leafKeyFile(dir, name))
	return err
}

// create makes a key and its certificate and writes both; a parent without a
// key means self-signed.
func (i Issuer) create(template *x509.Certificate, parent issuer, life time.Duration, certFile, keyFile string) (issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return issuer{}, fmt.Errorf("generate key: %w", err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits)); err != nil {
		return issuer{}, fmt.Errorf("draw serial number: %w", err)
	}
	now := i.Clock().UTC()
	template.NotBefore, template.NotAfter = now.Add(-backdate), now.Add(life)
	if parent.key == nil {
		parent = issuer{cert: template, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.cert, &key.PublicKey, parent.key)
	if err != nil {
		return issuer{}, fmt.Errorf("sign certificate of %s: %w", template.Subject.CommonName, err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return issuer{}, fmt.Errorf("encode key: %w", err)
	}
	// The key goes first: a certificate never names a key that was lost.
	if err := writePEM(keyFile, "PRIVATE KEY", keyDER); err != nil {
		return issuer{}, err
	}
	if err := writePEM(certFile, "CERTIFICATE", der); err != nil {
		return issuer{}, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return issuer{}, fmt.Errorf("read back certificate: %w", err)
	}
	return issuer{cert: cert, key: key}, nil
}

// current reports whether the leaf of name is whole, signed by the authority and
// not due for renewal.
func (i Issuer) current(dir, name string, ca *x509.Certificate) bool {
	have, err := readIssuer(leafFile(dir, name), leafKeyFile(dir, name))
	if err != nil || have.cert.Subject.CommonName != name {
		return false
	}
	return have.cert.CheckSignatureFrom(ca) == nil && i.Clock().Add(leafRenew).Before(have.cert.NotAfter)
}

func readIssuer(certFile, keyFile string) (issuer, error) {
	certDER, err := readPEM(certFile)
	if err != nil {
		return issuer{}, err
	}
	keyDER, err := readPEM(keyFile)
	if err != nil {
		return issuer{}, err
	}
	cert, err := x509.ParseCertificate(certDER)
	if err != nil {
		return issuer{}, fmt.Errorf("parse %s: %w", filepath.Base(certFile), err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyDER)
	if err != nil {
		return issuer{}, fmt.Errorf("parse %s: %w", filepath.Base(keyFile), err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(cert.PublicKey) {
		return issuer{}, fmt.Errorf("match %s with its key: %w", filepath.Base(certFile), errPEM)
	}
	return issuer{cert: cert, key: key}, nil
}

func readPEM(file string) ([]byte, error) {
	raw, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Base(file), err)
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Base(file), errPEM)
	}
	return block.Bytes, nil
}

// writePEM replaces a file in one step, so that a reader sees the old or the new.
func writePEM(file, kind string, der []byte) error {
	temporary := file + ".new"
	if err := os.WriteFile(temporary, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), certificateMode); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(file), err)
	}
	if err := os.Rename(temporary, file); err != nil {
		return fmt.Errorf("replace %s: %w", filepath.Base(file), err)
	}
	return nil
}
