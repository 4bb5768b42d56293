package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/skip2/go-qrcode"

	"strongroom/treasury/cold"
)

const (
	pixelsPerModule = 6
	maxFrameLines   = 100_000
	maxLine         = 8 << 10
	maxFramesText   = 64 << 20
)

type coldQR struct {
	File  string        `arg:"" help:"File to show."`
	Size  int           `default:"300" help:"Bytes of the file in each code."`
	Dir   string        `help:"New folder for the codes as PNG; shown in the terminal where empty." placeholder:"FOLDER"`
	Text  bool          `help:"Print the texts of the codes, one a line."`
	Every time.Duration `default:"0s" help:"Go on to the next code after this time; by Enter where 0."`
}

// Run shows the codes, one after the other.
func (c *coldQR) Run(e *env) error {
	content, err := cold.ReadFile(c.File, cold.MaxFile)
	if err != nil {
		return err
	}
	frames, err := cold.Frames(content, c.Size)
	switch {
	case err != nil:
		return err
	case c.Text:
		e.printf("%s\n", strings.Join(frames, "\n"))
		return nil
	case c.Dir != "":
		return c.pictures(e, frames)
	default:
		return c.terminal(e, frames)
	}
}

// qrOf draws with the second of four levels of correction: a screen is clean.
func qrOf(text string) (*qrcode.QRCode, error) {
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		return nil, fmt.Errorf("draw code: %w", err)
	}
	return code, nil
}

func (c *coldQR) pictures(e *env, frames []string) error {
	if err := os.Mkdir(c.Dir, 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	for i, text := range frames {
		code, err := qrOf(text)
		if err != nil {
			return err
		}
		picture, err := code.PNG(-pixelsPerModule)
		if err != nil {
			return fmt.Errorf("draw code %d: %w", i+1, err)
		}
		if err := cold.WriteNew(filepath.Join(c.Dir, fmt.Sprintf("%04d.png", i+1)), picture); err != nil {
			return err
		}
	}
	e.printf("%d codes in %s\n", len(frames), c.Dir)
	return nil
}

func (c *coldQR) terminal(e *env, frames []string) error {
	enter := bufio.NewReader(os.Stdin)
	for i, text := range frames {
		code, err := qrOf(text)
		if err != nil {
			return err
		}
		e.printf("%s\n%d of %d\n", code.ToSmallString(false), i+1, len(frames))
		if i+1 == len(frames) {
			return nil
		}
		if err := c.pause(e, enter); err != nil {
			return err
		}
	}
	return nil
}

func (c *coldQR) pause(e *env, enter *bufio.Reader) error {
	if c.Every == 0 {
		_, _ = fmt.Fprint(e.err, "Enter for the next ")
		if _, err := enter.ReadString('\n'); err != nil {
			return fmt.Errorf("show the next code: %w", err)
		}
		return nil
	}
	next := time.NewTimer(c.Every)
	defer next.Stop()
	select {
	case <-e.ctx.Done():
		return fmt.Errorf("show the next code: %w", e.ctx.Err())
	case <-next.C:
		return nil
	}
}

type coldUnqr struct {
	Files []string `arg:"" optional:"" help:"Files with texts of codes, one a line; standard input where none."`
	Out   string   `required:"" help:"New file." placeholder:"FILE"`
}

// Run puts the file together.
func (c *coldUnqr) Run(e *env) error {
	var texts []string
	if len(c.Files) == 0 {
		lines, err := frameLines(os.Stdin)
		if err != nil {
			return err
		}
		texts = lines
	}
	for _, name := range c.Files {
		content, err := cold.ReadFile(name, maxFramesText)
		if err != nil {
			return err
		}
		lines, err := frameLines(strings.NewReader(string(content)))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		texts = append(texts, lines...)
	}
	file, err := cold.Join(texts)
	if err != nil {
		return err
	}
	if err := cold.WriteNew(c.Out, file); err != nil {
		return err
	}
	e.printf("%d bytes: %s\n", len(file), c.Out)
	return nil
}

// frameLines reads what a scanner typed, a code a line.
func frameLines(r io.Reader) ([]string, error) {
	var lines []string
	scanner := bufio.NewScanner(io.LimitReader(r, maxFramesText))
	scanner.Buffer(nil, maxLine)
	for scanner.Scan() {
		if lines = append(lines, scanner.Text()); len(lines) > maxFrameLines {
			return nil, fmt.Errorf("%w: more than %d lines", cold.ErrFrames, maxFrameLines)
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("read texts of codes: %w", err)
	}
	return lines, nil
}
