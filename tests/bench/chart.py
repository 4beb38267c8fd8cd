# SPDX-License-Identifier: Apache-2.0
"""The ratios as a bar chart, in SVG that needs nothing else."""
from xml.sax.saxutils import escape

WIDTH, LEFT, ROW, TOP = 760, 230, 30, 46
NAMES = ("v1_rsa2048_of_limit", "v2_ed25519_of_limit", "v2_p256_of_limit", "healthz_of_bare",
         "healthz_of_nginx", "catalogue_1000_of_1", "connections_1000_of_16")


def draw(figures, targets):
    names = [name for name in NAMES if name in figures]
    most = max([1.0, *(figures[name] for name in names)])
    scale = (WIDTH - LEFT - 70) / most
    height = TOP + ROW * len(names) + 34
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
             f'width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="13">',
             f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
             '<text x="12" y="24" font-size="16" fill="#222">Of what the machine could do at most, '
             'per CPU second</text>']
    for i, name in enumerate(names):
        y = TOP + i * ROW
        target, value = targets.get(name), figures[name]
        colour = "#2f6f9f" if target is None or value >= target else "#b3462f"
        parts.append(f'<text x="{LEFT - 10}" y="{y + 15}" text-anchor="end" fill="#222">'
                     f'{escape(name)}</text>')
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{value * scale:.1f}" height="20" '
                     f'fill="{colour}"/>')
        parts.append(f'<text x="{LEFT + value * scale + 6:.1f}" y="{y + 15}" fill="#222">'
                     f'{value:.2f}</text>')
        if target is not None:
            x = LEFT + target * scale
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y - 3}" y2="{y + 23}" '
                         'stroke="#222" stroke-width="2"/>')
    parts.append(f'<text x="{LEFT}" y="{height - 12}" fill="#555">a black line is the target; '
                 '1.00 is the limit</text>')
    return "\n".join([*parts, "</svg>", ""])
