"""What is known about how good a clip is: a record of measures, each with its version; none is a promise.

`measures` looks at the shots as the engine made them, `agreement` asks the configured probe whether they
show the prompt, `retrying` makes a shot again that does not, `record` puts it all together, `preferences`
is what people say. A measure that could not be taken is "not checked". Nothing here compares pixels with a
reference: PSNR and SSIM say whether a picture was kept, never whether it fits its prompt.
"""
