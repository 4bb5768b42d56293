package api

// CheckFrame reads a frame as the stream does: the op that it would do, or the code of the
// complaint.
func CheckFrame(data []byte) (op, complaint string, err error) {
	f, err := parseFrame(data)
	if err != nil {
		return "", "", err
	}
	if c := f.check(func(name string) bool { return name == "BTC-USDC" }); c != nil {
		return "", c.Code, nil
	}
	return f.Op, "", nil
}
