//go:build linux

package main

import (
	"bytes"
	"fmt"
	"image/color"
	"os"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Colours that hold on white, and apart for those who see fewer of them.
var (
	ours    = color.RGBA{0x00, 0x72, 0xb2, 0xff}
	theirs  = color.RGBA{0xe6, 0x9f, 0x00, 0xff}
	beneath = color.RGBA{0x99, 0x99, 0x99, 0xff}
)

// bar is one subject in the picture.
type bar struct {
	label string
	value float64
	color color.Color
}

// draw writes the CPU of each redemption as bars, an algorithm beside another,
// on a white panel: a page may be dark.
func (r *report) draw(file string) error {
	const width, height, margin = 18 * vg.Centimeter, 7 * vg.Centimeter, 8
	canvas := vgsvg.New(width, height)
	whole := draw.New(canvas)
	whole.SetColor(color.White)
	whole.Fill(whole.Rectangle.Path())
	halves := []draw.Canvas{
		draw.Crop(whole, margin, -width/2-margin, margin, -margin),
		draw.Crop(whole, width/2+margin, -margin, margin, -margin),
	}
	for i, alg := range []string{"ES256", "RS256"} {
		p, err := panel(alg, r.bars(alg))
		if err != nil {
			return err
		}
		p.Draw(halves[i])
	}
	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return err
	}
	// Few who look at it have the font it was laid out with.
	text := strings.ReplaceAll(svg.String(), "font-family:Liberation Sans", "font-family:Liberation Sans,Arial,Helvetica,sans-serif")
	return os.WriteFile(file, []byte(text), 0o644)
}

// bars are those of one algorithm, floors first.
func (r *report) bars(alg string) []bar {
	var bars []bar
	for _, s := range r.Subjects {
		rows := rows{samples: s.Samples}
		value := rows.median(wide, func(x sample) float64 { return x.CPU })
		name, rest, _ := strings.Cut(s.Name, "/")
		switch {
		case value == 0:
		case s.Name == "respond" && alg == "ES256":
			bars = append([]bar{{"respond", value, beneath}}, bars...)
		case s.Name == "lean/"+alg:
			bars = append(bars, bar{"lean", value, beneath})
		case name == "oidc_token" && strings.HasSuffix(rest, "/"+alg+"/sha256"):
			storage, _, _ := strings.Cut(rest, "/")
			bars = append(bars, bar{"oidc_token, " + strings.ReplaceAll(storage, "_", " "), value, ours})
		case rest == alg:
			bars = append(bars, bar{name + ", memory", value, theirs})
		}
	}
	return bars
}

// panel is the picture of one algorithm.
func panel(alg string, bars []bar) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = alg + ": CPU µs per redemption"
	p.Title.Padding = 6
	p.HideX()
	p.Y.Tick.Length, p.Y.LineStyle.Width = 0, 0
	for _, style := range []*font.Font{&p.Title.TextStyle.Font, &p.Y.Tick.Label.Font} {
		style.Typeface, style.Variant = "Liberation", "Sans"
	}
	p.Title.TextStyle.Font.Size, p.Y.Tick.Label.Font.Size = 11, 10
	var names []string
	for i := range bars {
		bar := bars[len(bars)-1-i] // the axis goes up
		if err := addBar(p, float64(i), bar); err != nil {
			return nil, err
		}
		names = append(names, bar.label)
		p.X.Max = max(p.X.Max, bar.value*1.25) // room for the figure
	}
	if len(bars) == 0 {
		return p, nil
	}
	p.NominalY(names...)
	p.X.Min, p.Y.Min, p.Y.Max = 0, -.6, float64(len(bars))-.4
	return p, nil
}

func addBar(p *plot.Plot, y float64, bar bar) error {
	chart, err := plotter.NewBarChart(plotter.Values{bar.value}, vg.Points(13))
	if err != nil {
		return err
	}
	chart.Horizontal, chart.XMin, chart.Color, chart.LineStyle.Width = true, y, bar.color, 0
	figure, err := plotter.NewLabels(plotter.XYLabels{
		XYs:    plotter.XYs{{X: bar.value, Y: y}},
		Labels: []string{fmt.Sprintf("%.0f", bar.value)},
	})
	if err != nil {
		return err
	}
	style := &figure.TextStyle[0]
	style.YAlign = draw.YCenter
	style.Font.Typeface, style.Font.Variant, style.Font.Size = "Liberation", "Sans", 10
	figure.Offset = vg.Point{X: 4}
	p.Add(chart, figure)
	return nil
}
