"""The rounds of a competition as static pages: for who competes, who checks, and who watches."""
