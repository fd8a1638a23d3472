"""Methods that are fitted in closed form or by turns instead of by gradient descent on one loss.

Imports core and ops.
"""
